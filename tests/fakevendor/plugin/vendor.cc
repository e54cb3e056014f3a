#include "vendor.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

extern char** environ;

namespace axle::fakenpu_plugin {
namespace {

constexpr useconds_t kPollMicroseconds = 5000;
constexpr const char* kLog = "axle-log.txt";

template <typename T>
void find(void* library, const char* symbol, T& function) {
  function = reinterpret_cast<T>(::dlsym(library, symbol));
  if (function == nullptr) throw kit::unavailable(std::string("libfakenpu.so has no ") + symbol).hint(kInstallCommand);
}

// Ends a program that is still running when it is let go of.
class Child {
 public:
  Child(const std::vector<std::string>& argv, const std::string& log) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int error = ::posix_spawn(&pid_, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw kit::unavailable("cannot start " + argv[0]).vendor_code(error).hint(kInstallCommand);
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The status of waitpid, once it has ended.
  std::optional<int> ended() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

int run_program(const std::vector<std::string>& argv, const std::string& log, const kit::Cancel& cancel) {
  Child child(argv, log);
  for (;;) {
    if (const auto status = child.ended()) return *status;
    if (cancel.possible()) cancel.check();
    ::usleep(kPollMicroseconds);
  }
}

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string version_of(const std::string& compiler, const std::string& scratch) {
  const std::string log = scratch + "/version.txt";
  std::filesystem::create_directories(scratch);
  if (run_program({compiler, "--version"}, log, kit::Cancel()) != 0)
    throw kit::unavailable(compiler + " does not tell its version").hint(kInstallCommand);
  const std::string line = last_line(read_file(log));
  return line.substr(line.rfind(' ') + 1);
}

}  // namespace

void write_file(const std::string& path, std::string_view content) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool written = file != nullptr && std::fwrite(content.data(), 1, content.size(), file) == content.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "cannot write " + path).hint("is the disk full?");
}

std::string read_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw kit::Error(AXLE_NOT_FOUND, "cannot read " + path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> owner(file, &std::fclose);
  std::string content;
  char piece[4096];
  for (size_t got = 0; (got = std::fread(piece, 1, sizeof(piece), file)) > 0;) content.append(piece, got);
  return content;
}

std::shared_ptr<const Vendor> open_vendor(const kit::CreateArgs& args) {
  const char* home = std::getenv("FAKENPU_HOME");
  auto vendor = std::make_shared<Vendor>();
  vendor->library =
      !args.library_path.empty() ? args.library_path : std::string(home == nullptr ? "" : home) + "/lib/libfakenpu.so";
  const std::filesystem::path folder = std::filesystem::path(vendor->library).parent_path().parent_path();
  vendor->compiler = (folder / "bin" / "fakenpu-compile").string();
  for (const std::string& path : {vendor->library, vendor->compiler}) {
    if (!std::filesystem::exists(path)) throw kit::unavailable(path + " was not found").hint(kInstallCommand);
  }
  void* library = ::dlopen(vendor->library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw kit::unavailable(::dlerror()).hint(kInstallCommand);
  find(library, "fakenpu_load", vendor->load);
  find(library, "fakenpu_run", vendor->run);
  find(library, "fakenpu_unload", vendor->unload);
  find(library, "fakenpu_last_error", vendor->last_error);
  vendor->version = version_of(vendor->compiler, args.scratch_folder);
  return vendor;
}

void compile(const Vendor& vendor, const std::string& folder, const kit::Cancel& cancel) {
  const std::string log = folder + "/" + kLog, program = folder + "/program.fnpu";
  const int status = run_program({vendor.compiler, "--model", folder + "/model.onnx", "--output", program}, log, cancel);
  const std::string said = last_line(read_file(log));
  if (said.find("Op not support") != std::string::npos) throw kit::unimplemented("the FAKE compiler: " + said);
  // Exit code 0 alone is no success: a vendor's own reader says whether the file is whole.
  const bool made = status == 0 && std::filesystem::exists(program);
  if (made && run_program({vendor.compiler, "--check", program}, folder + "/check.txt", cancel) == 0) return;
  std::filesystem::remove(program);
  if (WIFSIGNALED(status)) throw kit::unavailable("the FAKE compiler was killed by a signal").vendor_code(WTERMSIG(status));
  throw kit::Error(AXLE_UNKNOWN, "the FAKE compiler failed: " + said).vendor_code(WEXITSTATUS(status));
}

}  // namespace axle::fakenpu_plugin
