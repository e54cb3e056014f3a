#include "engine/worker_channel.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

#include "base/clock.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/search_folders.h"
#include "engine/worker_life.h"
#include "engine/worker_quarantine.h"
#include "engine/worker_server.h"

namespace axle {
namespace {

constexpr size_t kMaxStatusBytes = 64u << 10;

struct Ends {
  UniqueFd ours, theirs;
};

Result<Ends> make_socket() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return errno_status(errno, "cannot make a socket");
  return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Ends> make_output() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_status(errno, "cannot make a pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<SharedMemory> make_control(bool spin) {
  AXLE_ASSIGN_OR_RETURN(SharedMemory memory, SharedMemory::create("axle-worker", sizeof(worker::Control)));
  auto* control = reinterpret_cast<worker::Control*>(memory.data());  // zero-filled: that is each field's beginning
  control->magic = worker::kMagic;
  control->version = worker::kVersion;
  std::strncpy(control->host_version, AXLE_VERSION, sizeof(control->host_version) - 1);
  control->spin = spin ? 1 : 0;
  return memory;
}

// "VmHWM:\t  1234 kB" -> bytes.
uint64_t status_line_bytes(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  const size_t begin = text.find_first_of("0123456789", at);
  uint64_t kib = 0;
  if (begin != std::string_view::npos) std::from_chars(text.data() + begin, text.data() + text.size(), kib);
  return kib * 1024;
}

void add_cpus_of(pid_t thread, std::set<int32_t>& cpus) {
  cpu_set_t set;
  if (::sched_getaffinity(thread, sizeof(set), &set) != 0) return;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.insert(cpu);
  }
}

}  // namespace

Result<std::string> find_worker_program() {
  const std::string own = own_library_folder();
  std::vector<std::string> places = {own + "/axle/axle-worker", own + "/axle-worker", own + "/../lib/axle/axle-worker"};
  std::string up = own;  // tests and tools somewhere below the build folder
  struct stat status{};
  for (int level = 0; level < 4 && up.size() > 1; ++level, up = up.substr(0, up.rfind('/'))) {
    if (::stat((up + "/CMakeCache.txt").c_str(), &status) == 0) places.push_back(up + "/lib/axle/axle-worker");
  }
  for (const std::string& place : places) {
    if (!own.empty() && ::stat(place.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(place.c_str(), X_OK) == 0)
      return place;
  }
  return not_found_error("axle-worker is not installed beside libaxle: looked for " + join(places, ", "))
      .with_hint("install axle whole: an engine in a process of its own needs it");
}

Result<std::shared_ptr<WorkerChannel>> WorkerChannel::prepare(WorkerOptions options) {
  if (options.plugin_path.empty() || options.plugin_path[0] != '/')
    return invalid_argument_error("a process of its own needs a plugin file");
  if (options.program.empty()) {
    AXLE_ASSIGN_OR_RETURN(options.program, find_worker_program());
  }
  return std::shared_ptr<WorkerChannel>(new WorkerChannel(std::move(options)));
}

Result<std::shared_ptr<WorkerChannel>> WorkerChannel::start(WorkerOptions options) {
  AXLE_ASSIGN_OR_RETURN(auto channel, prepare(std::move(options)));
  AXLE_RETURN_IF_ERROR(channel->begin());
  return channel;
}

Status WorkerChannel::begin() {
  AXLE_RETURN_IF_ERROR(Quarantine::of_process().check(options_.plugin_path, steady_ns()));
  AXLE_ASSIGN_OR_RETURN(Ends sockets, make_socket());
  AXLE_ASSIGN_OR_RETURN(Ends output, make_output());
  AXLE_ASSIGN_OR_RETURN(SharedMemory memory, make_control(spin_));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return errno_status(errno, "cannot make an event");
  SubprocessOptions program;
  program.argv = format_worker_arguments({options_.plugin_path, options_.cpu_set, options_.memory_limit_bytes, ::getpid()});
  program.argv.insert(program.argv.begin(), options_.program);
  program.pass_fds = {memory.fd(), sockets.theirs.get()};
  AXLE_ASSIGN_OR_RETURN(ChildProcess child, ChildProcess::start(program, output.theirs.get(), output.theirs.get()));
  sockets.theirs.reset();
  output.theirs.reset();
  auto life = std::make_shared<Life>(*this, std::move(memory), std::move(sockets.ours), std::move(output.ours), std::move(stop),
                                     std::move(child));
  // In steps: its end must not be waited for to the last.
  const auto give_up = std::chrono::steady_clock::now() + options_.start_timeout;
  while (!worker::wait_until_set(life->control().ready, std::chrono::milliseconds(20))) {
    if (life->ended) return life->how_it_ended();
    if (std::chrono::steady_clock::now() > give_up) life->kill("it did not begin in time");
  }
  if (life->ended) return life->how_it_ended();
  std::shared_ptr<Life> old;
  const std::lock_guard lock(mutex_);
  old = std::exchange(current_, std::move(life));
  current_->which.store(++lives_);
  life_.store(lives_);
  if (current_->ended) current_->withdraw();
  return ok_status();
}

WorkerChannel::~WorkerChannel() {
  // In a forked child there is no watcher to end, and the process is the parent's.
  // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without a few bytes this process cannot go on
  if (guard_.in_forked_child()) (void)new std::shared_ptr<Life>(std::move(current_));
}

std::shared_ptr<WorkerChannel::Life> WorkerChannel::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<std::string> WorkerChannel::call(const std::string& request, std::span<const FlatAttachment> attachments,
                                        const std::function<void()>& poll) {
  return call_life(0, request, attachments, poll);
}

Result<std::string> WorkerChannel::call_life(uint32_t wanted, const std::string& request,
                                             std::span<const FlatAttachment> attachments, const std::function<void()>& poll) {
  AXLE_RETURN_IF_ERROR(guard_.check("engine"));
  const std::shared_ptr<Life> life = current();
  if (life == nullptr) return unavailable_error("the engine's process was ended");
  if (wanted != 0 && life->which != wanted) return unavailable_error("the engine's process was started anew meanwhile");
  AXLE_ASSIGN_OR_RETURN(const uint32_t lane, life->take_lane());
  Result<std::string> reply = life->exchange(lane, request, attachments, poll);
  life->return_lane(lane);
  return reply;
}

void WorkerChannel::on_notice(std::function<void(const std::string&)> receive) {
  const std::lock_guard lock(receive_mutex_);
  receive_ = std::move(receive);
}

void WorkerChannel::deliver(const std::string& notice) {
  std::function<void(const std::string&)> receive;
  {
    const std::lock_guard lock(receive_mutex_);
    receive = receive_;
  }
  if (receive) receive(notice);
}

Status WorkerChannel::restart() {
  AXLE_RETURN_IF_ERROR(guard_.check("engine"));
  return begin();
}

void WorkerChannel::abandon(const std::string& why) {
  if (const auto life = current()) life->kill(why);
}

void WorkerChannel::allow_spin(bool allowed) {
  spin_ = allowed;
  if (const auto life = current()) life->control().spin.store(allowed ? 1 : 0, std::memory_order_relaxed);
}

void WorkerChannel::went_well() { Quarantine::of_process().went_well(options_.plugin_path); }

void WorkerChannel::close() {
  if (guard_.in_forked_child()) return;
  std::shared_ptr<Life> last;
  const std::lock_guard lock(mutex_);
  life_.store(0, std::memory_order_release);
  last = std::move(current_);
}

Result<WorkerFigures> WorkerChannel::figures() const {
  const auto life = current();
  if (life == nullptr || life->ended) return unavailable_error("the engine's process is gone");
  WorkerFigures figures;
  figures.pid = life->child.pid();
  const std::string folder = fmt::format("/proc/{}", figures.pid);
  AXLE_ASSIGN_OR_RETURN(const std::string text, read_file(folder + "/status", kMaxStatusBytes));
  figures.peak_memory_bytes = status_line_bytes(text, "VmHWM:");
  std::set<int32_t> cpus;
  AXLE_ASSIGN_OR_RETURN(const auto threads, list_dir(folder + "/task"));
  for (const DirEntry& thread : threads) {
    pid_t id = 0;
    const char* end = thread.name.data() + thread.name.size();
    if (std::from_chars(thread.name.data(), end, id).ptr == end) add_cpus_of(id, cpus);
  }
  figures.cpus.assign(cpus.begin(), cpus.end());
  return figures;
}

}  // namespace axle
