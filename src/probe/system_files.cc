#include "probe/system_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <tuple>

#include "base/utf8.h"

namespace axle {
namespace {

constexpr size_t kMaxListed = 8192;
constexpr int32_t kMaxCpuNumber = 8192;
constexpr size_t kMaxCleanBytes = 256;

struct FileDescriptor {
  int value;
  ~FileDescriptor() {
    if (value >= 0) ::close(value);
  }
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f' || c == '\0'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// ("node", 10, "node10"): names that end in a number sort by it.
std::tuple<std::string, int64_t, std::string> natural_key(const std::string& name) {
  size_t end = name.size();
  while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9') --end;
  int64_t number = -1;
  if (name.size() - end <= 9) std::from_chars(name.data() + end, name.data() + name.size(), number);
  return {name.substr(0, end), number, name};
}

}  // namespace

SystemFiles::SystemFiles(std::string root) : root_(std::move(root)) {
  while (!root_.empty() && root_.back() == '/') root_.pop_back();
}

std::string SystemFiles::full(std::string_view path) const { return root_ + std::string(path); }

std::optional<std::string> SystemFiles::content(std::string_view path, size_t max_bytes) const {
  // O_NONBLOCK: a FIFO or a sleeping device must not hold up discovery.
  const FileDescriptor file{::open(full(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat info{};
  if (file.value < 0 || ::fstat(file.value, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (text.size() < max_bytes) {
    const ssize_t got = ::read(file.value, buffer, std::min(sizeof buffer, max_bytes - text.size()));
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<std::string> SystemFiles::line(std::string_view path) const {
  const std::optional<std::string> text = content(path, 4096);
  if (!text) return std::nullopt;
  std::string first = clean_text(std::string_view(*text).substr(0, text->find('\n')));
  if (first.empty()) return std::nullopt;
  return first;
}

std::optional<int64_t> SystemFiles::number(std::string_view path) const {
  const std::optional<std::string> text = line(path);
  return text ? parse_number(*text) : std::nullopt;
}

std::vector<std::string> SystemFiles::list(std::string_view folder) const {
  return entries(folder, [](const dirent&) { return true; });
}

std::vector<std::string> SystemFiles::folders(std::string_view folder) const {
  return entries(folder, [&](const dirent& entry) {
    if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
    struct stat info{};
    return ::lstat((full(folder) + "/" + entry.d_name).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  });
}

std::vector<std::string> SystemFiles::entries(std::string_view folder, const std::function<bool(const dirent&)>& wanted) const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(full(folder).c_str()), &::closedir);
  if (!dir) return names;
  while (names.size() < kMaxListed) {
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && is_valid_utf8(name) && wanted(*entry)) names.push_back(name);
  }
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return natural_key(a) < natural_key(b); });
  return names;
}

std::string SystemFiles::link_name(std::string_view path) const {
  char target[4096];
  const ssize_t length = ::readlink(full(path).c_str(), target, sizeof target);
  if (length <= 0) return "";
  const std::string_view text(target, static_cast<size_t>(length));
  return clean_text(text.substr(text.rfind('/') + 1));
}

bool SystemFiles::exists(std::string_view path) const {
  struct stat info{};
  return ::stat(full(path).c_str(), &info) == 0;
}

bool SystemFiles::is_folder(std::string_view path) const {
  struct stat info{};
  return ::stat(full(path).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool SystemFiles::readable(std::string_view path) const { return ::access(full(path).c_str(), R_OK) == 0; }

std::string clean_text(std::string_view text) {
  std::string out;
  for (const char c : trim(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && out.size() < kMaxCleanBytes) out += c;
  }
  if (!is_valid_utf8(out)) std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  return std::string(trim(out));
}

std::optional<int64_t> parse_number(std::string_view text) {
  text = trim(text);
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (hex && value < 0) return std::nullopt;
  return value;
}

std::vector<int32_t> parse_cpu_list(std::string_view text) {
  std::set<int32_t> cpus;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view piece = trim(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const size_t dash = piece.find('-');
    const std::optional<int64_t> first = parse_number(piece.substr(0, dash));
    const std::optional<int64_t> last = dash == std::string_view::npos ? first : parse_number(piece.substr(dash + 1));
    if (!first || !last || *first < 0) continue;
    for (int64_t cpu = *first; cpu <= *last && cpu < kMaxCpuNumber; ++cpu) cpus.insert(static_cast<int32_t>(cpu));
  }
  return {cpus.begin(), cpus.end()};
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_space(text[at])) ++at;
    const size_t start = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    if (at > start) words.push_back(text.substr(start, at - start));
  }
  return words;
}

std::string value_of(std::string_view text, std::string_view key, char separator) {
  for (const std::string_view line : split_lines(text)) {
    const size_t at = line.find(separator);
    if (at != std::string_view::npos && trim(line.substr(0, at)) == key) return clean_text(line.substr(at + 1));
  }
  return "";
}

}  // namespace axle
