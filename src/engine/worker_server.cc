#include "engine/worker_server.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "base/errno_status.h"
#include "base/file.h"
#include "base/shared_memory.h"
#include "base/text.h"
#include "engine/flat_server.h"
#include "engine/worker_confine.h"
#include "engine/worker_lanes.h"

namespace axle {
namespace {

using worker::Control;
using worker::Lane;

template <typename T>
bool read_number(std::string_view text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// Parent of a process, -1 when it is gone: the second word behind its name, which may hold anything.
int64_t parent_of(const std::string& pid) {
  const std::string stat = read_file("/proc/" + pid + "/stat", 4096).value_or("");
  const std::vector<std::string_view> words =
      split(std::string_view(stat).substr(std::min(stat.size(), stat.rfind(')') + 1)), ' ');
  int64_t parent = -1;
  return words.size() > 2 && read_number(words[2], parent) ? parent : -1;
}

// A vendor's compiler must not outlive the one who waits for it. What an engine starts leads a process group of its own.
[[noreturn]] void end_with_children() {
  for (const DirEntry& entry : list_dir("/proc").value_or(std::vector<DirEntry>())) {
    pid_t child = 0;
    if (read_number(entry.name, child) && parent_of(entry.name) == ::getpid() && ::getpgid(child) == child)
      ::kill(-child, SIGKILL);
  }
  ::_exit(0);
}

// Ends this process with the host. Not PR_SET_PDEATHSIG: that fires when the thread that started us ends.
void die_with_host(int64_t host_pid) {
  const int watch = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(host_pid), 0));
  std::array<pollfd, 2> watched = {pollfd{watch, POLLIN, 0}, pollfd{worker::kSocketFd, POLLRDHUP, 0}};
  for (;;) {
    if (::poll(watched.data(), watched.size(), watch < 0 ? 1000 : -1) < 0 && errno != EINTR) ::_exit(0);
    if ((watched[0].revents & POLLIN) != 0 || (watched[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) end_with_children();
    if (watch < 0 && ::getppid() != host_pid) end_with_children();
  }
}

bool send_all(int fd, const void* data, size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t sent = ::send(fd, at, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

class Serving {
 public:
  Serving(SharedMemory control, std::shared_ptr<const Plugin> plugin)
      : memory_(std::move(control)), control_(*reinterpret_cast<Control*>(memory_.data())),
        server_(std::move(plugin), [this](const std::string& notice) { notify(notice); }) {}

  [[noreturn]] void run() {
    control_.ready.store(1, std::memory_order_release);
    worker::wake_all(control_.ready);
    serve_lane(0);
  }

 private:
  // A lane's thread is made when the one before it is first used: one is always there for the next caller.
  [[noreturn]] void serve_lane(uint32_t number) {
    Lane& lane = control_.lanes[number];
    uint32_t seen = 0;
    bool used = false;
    std::string request;
    for (;;) {
      worker::wait(lane.to_worker, seen, used && control_.spin.load(std::memory_order_relaxed) != 0, std::nullopt);
      seen = lane.to_worker.sequence.load(std::memory_order_acquire);
      if (!used && number + 1 < worker::kLanes) std::thread([this, number] { serve_lane(number + 1); }).detach();
      used = true;
      const bool whole = lane.to_worker.left_bytes == 0;
      request.append(reinterpret_cast<const char*>(lane.request), lane.to_worker.piece_bytes);
      if (!whole) {
        worker::post(lane.to_host);
        continue;
      }
      send_reply(lane, answer(number, lane.to_worker.attachments, request), seen);
      request.clear();
    }
  }

  std::string answer(uint32_t lane, uint32_t attachments, const std::string& request) {
    if (attachments > 0) {
      if (Status status = take_segments(lane, attachments); !status.ok()) {
        FlatWriter reply(FlatVerb::kDescribe);
        write_error(reply, {static_cast<int32_t>(status.code()), 0, 0, status.message(), status.hint()});
        return reply.take();
      }
    }
    return server_.serve(request);
  }

  void send_reply(Lane& lane, const std::string& reply, uint32_t& seen) {
    size_t at = 0;
    for (;;) {
      at = worker::put_piece(lane.to_host, lane.reply, reply, at);
      lane.to_host.notices = notices_.load(std::memory_order_acquire);
      worker::post(lane.to_host);
      if (at == reply.size()) return;
      worker::wait(lane.to_worker, seen, true, std::nullopt);  // the host asks for the next piece
      seen = lane.to_worker.sequence.load(std::memory_order_acquire);
    }
  }

  // Segments come for all lanes by one socket, each marked with the lane whose message it belongs to.
  Status take_segments(uint32_t lane, uint32_t wanted) {
    const std::lock_guard lock(segments_mutex_);
    while (arrived_[lane] < wanted) AXLE_RETURN_IF_ERROR(take_segment());
    arrived_[lane] = 0;
    Status status = std::move(refused_[lane]);
    refused_[lane] = ok_status();
    return status;
  }

  Status take_segment() {
    worker::SegmentRecord record{};
    iovec piece{&record, sizeof(record)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    ssize_t got = 0;
    do {
      got = ::recvmsg(worker::kSocketFd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof(record) || record.lane >= worker::kLanes) return internal_error("a segment did not arrive");
    ++arrived_[record.lane];
    const UniqueFd fd = passed_in(message);
    const FlatAttachment attachment{record.segment, fd.get(), record.size_bytes, record.file != 0};
    Status status = fd ? server_.attach({&attachment, 1}) : no_descriptor_left();
    if (!status.ok()) refused_[record.lane] = std::move(status);
    return ok_status();
  }

  // None when this process may have no more (MSG_CTRUNC): the record has arrived all the same, and the next one is another's.
  static UniqueFd passed_in(const msghdr& message) {
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(sizeof(int))) return UniqueFd();
    int raw = -1;
    std::memcpy(&raw, CMSG_DATA(header), sizeof(raw));
    return UniqueFd(raw);
  }

  static Status no_descriptor_left() {
    return resource_exhausted_error("the engine's process has no descriptor left for memory that is handed to it")
        .with_hint("raise the limit on open files (ulimit -n)");
  }

  void notify(const std::string& notice) {
    if (notice.size() > worker::kMaxNoticeBytes) {
      std::fprintf(stderr, "axle-worker: a notice of %zu bytes cannot be sent\n", notice.size());
      std::abort();  // dropped, its receiver would wait for ever
    }
    const std::lock_guard lock(notice_mutex_);
    const auto size = static_cast<uint32_t>(notice.size());
    if (send_all(worker::kSocketFd, &size, sizeof(size)) && send_all(worker::kSocketFd, notice.data(), notice.size())) {
      notices_.fetch_add(1, std::memory_order_release);
    }
  }

  SharedMemory memory_;
  Control& control_;
  std::mutex notice_mutex_;
  std::atomic<uint64_t> notices_{0};
  std::mutex segments_mutex_;
  std::array<uint32_t, worker::kLanes> arrived_{};
  std::array<Status, worker::kLanes> refused_{};
  FlatServer server_;
};

}  // namespace

Result<WorkerArguments> parse_worker_arguments(const std::vector<std::string>& arguments) {
  WorkerArguments parsed;
  for (size_t i = 0; i < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    const std::string value = i + 1 < arguments.size() ? arguments[i + 1] : "";
    bool good = !value.empty();
    if (name == "--plugin") {
      parsed.plugin_path = value;
      good = good && value[0] == '/';
    } else if (name == "--host") {
      good = good && read_number(value, parsed.host_pid);
    } else if (name == "--memory") {
      good = good && read_number(value, parsed.memory_limit_bytes);
    } else if (name == "--cpus") {
      for (const std::string_view cpu : split(value, ',')) good = good && read_number(cpu, parsed.cpu_set.emplace_back());
    } else {
      good = false;
    }
    if (!good) {
      return invalid_argument_error(fmt::format("'{} {}' makes no sense: this program is started by axle, not by hand",
                                                printable(name, 64), printable(value, 64)));
    }
  }
  if (parsed.plugin_path.empty() || parsed.host_pid <= 0)
    return invalid_argument_error("--plugin and --host are missing: this program is started by axle, not by hand");
  return parsed;
}

std::vector<std::string> format_worker_arguments(const WorkerArguments& arguments) {
  std::vector<std::string> texts = {"--plugin", arguments.plugin_path, "--host", std::to_string(arguments.host_pid)};
  std::vector<std::string> cpus;
  for (const int32_t cpu : arguments.cpu_set) cpus.push_back(std::to_string(cpu));
  if (!cpus.empty()) texts.insert(texts.end(), {"--cpus", join(cpus, ",")});
  if (arguments.memory_limit_bytes > 0) texts.insert(texts.end(), {"--memory", std::to_string(arguments.memory_limit_bytes)});
  return texts;
}

Status serve_worker(const WorkerArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(SharedMemory memory, SharedMemory::adopt(UniqueFd(worker::kControlFd), sizeof(Control), true));
  const auto& control = *reinterpret_cast<const Control*>(memory.data());
  if (control.magic != worker::kMagic || control.version != worker::kVersion ||
      std::string_view(control.host_version) != AXLE_VERSION) {
    return failed_precondition_error(
        fmt::format("this is axle-worker of axle {}, it was started by {}", AXLE_VERSION, printable(control.host_version, 56)));
  }
  AXLE_RETURN_IF_ERROR(confine_this_process(arguments.cpu_set, arguments.memory_limit_bytes));
  std::thread([host = arguments.host_pid] { die_with_host(host); }).detach();
  AXLE_ASSIGN_OR_RETURN(auto plugin, Plugin::open(arguments.plugin_path));
  static Serving* const serving = new Serving(std::move(memory), std::move(plugin));  // until the process ends
  serving->run();
}

}  // namespace axle
