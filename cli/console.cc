#include "console.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "axle/explain.h"

namespace axle::cli {
namespace {

constexpr int64_t kHiddenNs = 1'000'000'000;
constexpr auto kRedrawn = std::chrono::milliseconds(250);

CancelToken& process_token() {
  static CancelToken token;
  return token;
}

// Only lock-free atomics are touched: cancel() stores a flag.
void on_interrupt(int) {
  process_token().cancel();
  ::signal(SIGINT, SIG_DFL);
}

}  // namespace

int64_t steady_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool use_color() {
  static const bool color = ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return color;
}

int32_t terminal_width() {
  struct winsize size = {};
  const int32_t real = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 0;
  const char* text = std::getenv("COLUMNS");
  const std::string_view asked = text == nullptr ? "" : text;
  int32_t columns = 0;
  const auto parsed = std::from_chars(asked.data(), asked.data() + asked.size(), columns);
  const bool valid = parsed.ec == std::errc() && parsed.ptr == asked.data() + asked.size() && columns > 0 && columns <= 10000;
  if (valid) return real > 0 ? std::min(columns, real) : columns;
  return real > 0 ? real : 140;
}

int32_t terminal_rows() {
  struct winsize size = {};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row : 24;
}

std::string fit_screen(std::string_view text, int32_t columns, int32_t rows) {
  std::string out;
  int32_t line = 0, column = 0;
  for (size_t at = 0; at < text.size() && line < rows; ++at) {
    const char c = text[at];
    const size_t escape_end = c == '\x1b' ? text.find('m', at) : std::string_view::npos;
    if (escape_end != std::string_view::npos) {  // a colour takes no room
      out += text.substr(at, escape_end + 1 - at);
      at = escape_end;
    } else if (c == '\n') {
      out += c;
      ++line;
      column = 0;
    } else {
      const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
      column += continues ? 0 : 1;
      if (column <= columns) out += c;
    }
  }
  return out;
}

TextStyle text_style(bool verbose) {
  TextStyle style;
  style.color = use_color();
  style.width = terminal_width();
  style.verbose = verbose;
  return style;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

bool wants_json(int argc, char** argv) {
  return std::any_of(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
}

int report_usage(const std::string& message, const std::string& help, bool json) {
  if (json)
    std::printf("%s\n", render_error_json(invalid_argument_error(message).with_hint("see: " + help)).c_str());
  else
    std::fprintf(stderr, "axle: %s\n  see: %s\n", message.c_str(), help.c_str());
  return 2;
}

int report_failure(const Status& status, bool json) {
  if (json) {
    std::fputs(render_error_json(status).c_str(), stdout);
    std::fputc('\n', stdout);
  } else {
    std::fputs(render_error_text(status).c_str(), stderr);
  }
  return exit_code_for(status.code());
}

constexpr size_t kMostTextBytes = size_t{256} << 20;

Result<std::string> read_text_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return not_found_error("cannot read '" + path + "': " + std::strerror(errno));
  std::string text;
  char block[65536];
  size_t got = 0;
  while (text.size() <= kMostTextBytes && (got = std::fread(block, 1, sizeof block, file)) > 0) text.append(block, got);
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed) return data_loss_error("cannot read all of '" + path + "'");
  if (text.size() > kMostTextBytes) return resource_exhausted_error("'" + path + "' holds more than 256 MiB of text");
  return text;
}

// A regular file takes the old one's place when it is complete; a link is followed; a device or a pipe is written to as it is.
// The library's own way of doing that (src/base) is no promise to programs: commands see only include/.
Status write_text_file(const std::string& path, const std::string& text) {
  std::error_code error;
  const std::filesystem::file_status found = std::filesystem::status(path, error);
  const bool replaces = !std::filesystem::exists(found) || std::filesystem::is_regular_file(found);
  const std::filesystem::path linked = std::filesystem::canonical(path, error);
  const std::string target = error ? path : linked.string();
  std::string temporary = target + ".XXXXXX";
  const int fd = replaces ? ::mkostemp(temporary.data(), O_CLOEXEC) : ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  std::FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "w");
  if (file == nullptr) {
    return permission_denied_error("cannot write '" + path + "': " + std::strerror(errno))
        .with_hint("check the path, and that you may write there");
  }
  if (replaces) {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd, 0666 & ~mask);
  }
  // On the disk before it takes the other's place: a machine that goes down leaves the one or the other.
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0 &&
                       (!replaces || ::fsync(fd) == 0);
  const bool closed = std::fclose(file) == 0;
  if (closed && written && (!replaces || std::rename(temporary.c_str(), target.c_str()) == 0)) return ok_status();
  const std::string reason = std::strerror(errno);
  if (replaces) std::remove(temporary.c_str());
  return resource_exhausted_error("cannot write '" + path + "': " + reason).with_hint("free some disk space");
}

CancelToken interrupt_token() {
  static const bool installed = [] {
    process_token();
    struct sigaction action = {};
    action.sa_handler = on_interrupt;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  (void)installed;
  return process_token();
}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::show(const std::string& what, double fraction) {
  static const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (!terminal || !wanted_) return;
  const std::lock_guard lock(mutex_);
  const int64_t now = steady_now_ns();
  if (started_ns_ == 0) started_ns_ = now;
  if (what != what_) stage_ns_ = now;
  what_ = what;
  fraction_ = fraction;
  if (drawing_.joinable()) return;
  drawing_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock held(mutex_);
    while (!stop.stop_requested()) {
      if (steady_now_ns() - started_ns_ >= kHiddenNs) draw();
      wake_.wait_for(held, stop, kRedrawn, [] { return false; });
    }
  });
}

void ProgressLine::draw() {
  visible_ = true;
  const double seconds = static_cast<double>(steady_now_ns() - stage_ns_) / 1e9;
  if (fraction_ >= 0) {
    const int filled = static_cast<int>(std::clamp(fraction_, 0.0, 1.0) * 24);
    std::fprintf(stderr, "\r\x1b[K%s [%s%s] %3.0f%%", what_.c_str(), std::string(filled, '=').c_str(),
                 std::string(24 - filled, ' ').c_str(), fraction_ * 100);
  } else {
    std::fprintf(stderr, "\r\x1b[K%s ...", what_.c_str());
  }
  if (seconds >= 1) std::fprintf(stderr, " %.0f s", seconds);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (drawing_.joinable()) {
    drawing_.request_stop();
    drawing_.join();
  }
  if (visible_) std::fputs("\r\x1b[K", stderr);
  visible_ = false;
}

}  // namespace axle::cli
