#include "engine/worker_life.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "base/clock.h"
#include "base/errno_status.h"
#include "base/logging.h"
#include "base/text.h"
#include "engine/worker_quarantine.h"

namespace axle {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kKeptOutputBytes = 8192;
constexpr size_t kToldOutputBytes = 600;
constexpr auto kPollInterval = std::chrono::milliseconds(2);
constexpr int kEndWaitMs = 2000, kHungUpWaitMs = 500;  // until it is killed
constexpr int kPiecesAtOnce = 64;
constexpr size_t kMaxLaneMessage = size_t{1} << 30;

// The last lines of what a program wrote, on one line.
std::string tail_of(const std::string& output) {
  std::string_view text = output;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (text.size() > kToldOutputBytes) text.remove_prefix(text.size() - kToldOutputBytes);
  std::string line;
  for (const char c : text) line += c == '\n' ? std::string(" | ") : std::string(1, c);
  return printable(line, kToldOutputBytes * 2);
}

struct LiveWorkers {
  std::mutex mutex;
  std::set<pid_t> pids;
  uint64_t starts = 0;
};
LiveWorkers& live_workers() {
  static LiveWorkers* const workers = new LiveWorkers;  // watchers may outlive static destructors
  return *workers;
}

}  // namespace

int64_t worker_cpu_ns() {
  LiveWorkers& workers = live_workers();
  const std::lock_guard lock(workers.mutex);
  int64_t total = 0;
  for (const pid_t pid : workers.pids) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) == 0 && ::clock_gettime(clock, &time) == 0)
      total += int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
  return total;
}

uint64_t worker_starts() {
  const std::lock_guard lock(live_workers().mutex);
  return live_workers().starts;
}

WorkerChannel::Life::Life(WorkerChannel& owner, SharedMemory shared, UniqueFd host_end, UniqueFd out, UniqueFd stop_event,
                          ChildProcess started)
    : channel(owner), options(owner.options_), memory(std::move(shared)), socket(std::move(host_end)), output(std::move(out)),
      stop(std::move(stop_event)), child(std::move(started)) {
  // The first lane is taken first, and again and again: its thread is the one that is awake.
  for (uint32_t lane = worker::kLanes; lane > 0; --lane) free_lanes.push_back(lane - 1);
  {
    const std::lock_guard lock(live_workers().mutex);
    live_workers().pids.insert(child.pid());
    ++live_workers().starts;
  }
  watcher = std::thread([this] { watch(); });
}

WorkerChannel::Life::~Life() {
  ::shutdown(socket.get(), SHUT_RDWR);  // it ends by itself when the host hangs up
  const uint64_t one = 1;
  (void)!::write(stop.get(), &one, sizeof(one));
  watcher.join();
}

// ---- calls ---------------------------------------------------------------------------------------------------------

Status WorkerChannel::Life::how_it_ended() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return ended.load(); });
  return end;
}

Result<uint32_t> WorkerChannel::Life::take_lane() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return !free_lanes.empty() || ended; });
  if (ended) return end;
  const uint32_t lane = free_lanes.back();
  free_lanes.pop_back();
  return lane;
}

void WorkerChannel::Life::return_lane(uint32_t lane) {
  bool waited = false;
  {
    const std::lock_guard lock(mutex);
    waited = free_lanes.empty();
    free_lanes.push_back(lane);
  }
  if (waited) changed.notify_all();
}

void WorkerChannel::Life::kill(const std::string& why) {
  {
    const std::lock_guard lock(mutex);
    if (reaped || !abandoned.empty()) return;
    abandoned = why;
    child.signal_group(SIGKILL);  // under the lock: once it is reaped, its number may be another's
  }
}

// Until the worker has posted on the lane.
Status WorkerChannel::Life::await(uint32_t lane, const std::function<void()>& poll) {
  worker::Mailbox& box = control().lanes[lane].to_host;
  const bool spin = control().spin.load(std::memory_order_relaxed) != 0;
  const Clock::time_point start = options.call_timeout.count() > 0 ? Clock::now() : Clock::time_point();
  std::optional<std::chrono::nanoseconds> interval;
  if (options.call_timeout.count() > 0) interval = options.call_timeout;
  if (poll) interval = kPollInterval;
  bool first = true;
  while (!worker::wait(box, seen[lane], spin && first, interval)) {
    first = false;
    if (poll) poll();
    if (options.call_timeout.count() > 0 && Clock::now() - start >= options.call_timeout) {
      kill(fmt::format("it did not answer within {} ms",
                       std::chrono::duration_cast<std::chrono::milliseconds>(options.call_timeout).count()));
      interval = std::nullopt;  // its end wakes us
    }
  }
  if (ended.load(std::memory_order_acquire)) return how_it_ended();
  seen[lane] = box.sequence.load(std::memory_order_acquire);
  return ok_status();
}

Status WorkerChannel::Life::send_request(uint32_t number, const std::string& request, size_t attachments,
                                         const std::function<void()>& poll) {
  worker::Lane& lane = control().lanes[number];
  size_t at = 0;
  for (;;) {
    at = worker::put_piece(lane.to_worker, lane.request, request, at);
    lane.to_worker.attachments = static_cast<uint32_t>(attachments);
    worker::post(lane.to_worker);
    if (at == request.size()) return ok_status();
    AXLE_RETURN_IF_ERROR(await(number, poll));  // it wants the next piece
  }
}

// After the message that speaks of them: the worker takes them from the socket then, so that many cannot block it.
Status WorkerChannel::Life::send_segments(uint32_t lane, std::span<const FlatAttachment> attachments) {
  const std::lock_guard lock(send_mutex);
  for (const FlatAttachment& attachment : attachments) {
    worker::SegmentRecord record{attachment.segment, lane, attachment.size_bytes, attachment.file ? 1u : 0u, 0};
    iovec piece{&record, sizeof(record)};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &attachment.fd, sizeof(int));
    ssize_t sent = 0;
    do {
      sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent == sizeof(record)) continue;
    const int error = errno;
    // A descriptor that cannot be passed leaves the worker waiting for it.
    if (error != EPIPE && error != ECONNRESET) kill(fmt::format("a segment cannot be passed: {}", std::strerror(error)));
    return how_it_ended();
  }
  return ok_status();
}

// Copied out of shared memory before anybody reads it: the worker could change it meanwhile.
Result<std::string> WorkerChannel::Life::take_reply(uint32_t number, const std::function<void()>& poll) {
  worker::Lane& lane = control().lanes[number];
  std::string reply;
  for (;;) {
    AXLE_RETURN_IF_ERROR(await(number, poll));
    const uint64_t piece = lane.to_host.piece_bytes, left = lane.to_host.left_bytes, notices_before = lane.to_host.notices;
    if (piece > worker::kPieceBytes || left > kMaxLaneMessage || reply.size() + piece > kMaxLaneMessage) {
      kill("it sent a reply of a size that makes no sense");
      return how_it_ended();
    }
    reply.append(reinterpret_cast<const char*>(lane.reply), piece);
    if (left == 0) {
      if (notices_seen.load(std::memory_order_acquire) < notices_before) await_notices(notices_before);
      return reply;
    }
    worker::post(lane.to_worker);
  }
}

void WorkerChannel::Life::await_notices(uint64_t count) {
  std::unique_lock lock(mutex);
  changed.wait_for(lock, std::chrono::seconds(10), [&] { return notices >= count || ended; });
}

Result<std::string> WorkerChannel::Life::exchange(uint32_t lane, const std::string& request,
                                                  std::span<const FlatAttachment> attachments,
                                                  const std::function<void()>& poll) {
  AXLE_RETURN_IF_ERROR(send_request(lane, request, attachments.size(), poll));
  if (!attachments.empty()) AXLE_RETURN_IF_ERROR(send_segments(lane, attachments));
  return take_reply(lane, poll);
}

// ---- the watch -----------------------------------------------------------------------------------------------------

void WorkerChannel::Life::watch() {
  bool hung_up = false, stopping = false;
  Clock::time_point give_up = Clock::time_point::max();
  while (!child.ended()) {
    pollfd watched[4] = {{child.watch_fd(), POLLIN, 0},
                         {output.get(), POLLIN, 0},
                         {hung_up ? -1 : socket.get(), POLLIN, 0},
                         {stopping ? -1 : stop.get(), POLLIN, 0}};
    const bool timed = hung_up || stopping || child.watch_fd() < 0;
    ::poll(watched, 4, timed ? 20 : -1);
    take_output();
    if (!hung_up && !take_notices()) {
      hung_up = true;  // without the socket nobody can be told anything: it ends, or is ended
      give_up = Clock::now() + std::chrono::milliseconds(kHungUpWaitMs);
    }
    if (!stopping && (watched[3].revents & POLLIN) != 0) {
      stopping = true;
      give_up = std::min(give_up, Clock::now() + std::chrono::milliseconds(kEndWaitMs));
    }
    if (Clock::now() > give_up) child.signal_group(SIGKILL);
  }
  finish(stopping);
}

void WorkerChannel::Life::take_output() {
  char piece[4096];
  for (int pieces = 0; output && pieces < kPiecesAtOnce; ++pieces) {
    const ssize_t got = ::read(output.get(), piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return output.reset();
    const std::string_view text(piece, static_cast<size_t>(got));
    AXLE_LOG(kInfo, "engine/worker", "{}", printable(text, sizeof(piece)));
    const std::lock_guard lock(mutex);
    last_words.append(text);
    if (last_words.size() > kKeptOutputBytes) last_words.erase(0, last_words.size() - kKeptOutputBytes);
  }
}

// False when nothing more will come.
bool WorkerChannel::Life::take_notices() {
  char piece[16384];
  for (int pieces = 0; pieces < kPiecesAtOnce; ++pieces) {
    const ssize_t got = ::recv(socket.get(), piece, sizeof(piece), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    notice_bytes.append(piece, static_cast<size_t>(got));
    size_t at = 0;
    uint32_t size = 0;
    while (notice_bytes.size() - at >= sizeof(size)) {
      std::memcpy(&size, notice_bytes.data() + at, sizeof(size));
      if (size > worker::kMaxNoticeBytes) {
        kill("it sent a notice of a size that makes no sense");
        return false;
      }
      if (notice_bytes.size() - at - sizeof(size) < size) break;
      if (size > 0) channel.deliver(notice_bytes.substr(at + sizeof(size), size));
      at += sizeof(size) + size;
      {
        const std::lock_guard lock(mutex);
        ++notices;
        notices_seen.store(notices, std::memory_order_release);
      }
      changed.notify_all();
    }
    notice_bytes.erase(0, at);
  }
  return true;
}

void WorkerChannel::Life::withdraw() {
  uint32_t mine = which.load();
  if (mine != 0) channel.life_.compare_exchange_strong(mine, 0);
}

void WorkerChannel::Life::finish(bool asked_to_end) {
  child.signal_group(SIGKILL);  // what it started
  {
    const std::lock_guard lock(live_workers().mutex);
    live_workers().pids.erase(child.pid());  // while nobody else can have the number
  }
  ProcessEnd how;
  {
    const std::lock_guard lock(mutex);
    how = child.reap();
    reaped = true;
  }
  take_output();
  {
    const std::lock_guard lock(mutex);
    const std::string said = tail_of(last_words);
    const std::string what = abandoned.empty() ? how.text() : "ended because " + abandoned;
    if (!asked_to_end) Quarantine::of_process().died(options.plugin_path, what, steady_ns());
    end = unavailable_error(fmt::format("the engine's process (axle-worker {}, {}) is gone: {}{}{}", child.pid(),
                                        options.plugin_path.substr(options.plugin_path.rfind('/') + 1), what,
                                        said.empty() ? "" : "; last it said: ", said));
    withdraw();  // before anybody can be told
    ended.store(true);
  }
  withdraw();  // it may have become the current one in between
  changed.notify_all();
  // Whoever waits for a reply sees another number, and then that there will be none.
  for (worker::Lane& lane : control().lanes) {
    lane.to_host.sequence.fetch_add(1, std::memory_order_seq_cst);
    worker::wake_all(lane.to_host.sequence);
  }
  channel.deliver("");
}

}  // namespace axle
