// Internal to worker_channel: one axle-worker process, from its start to its end.
#pragma once

#include <array>
#include <condition_variable>
#include <thread>

#include "base/child_process.h"
#include "base/shared_memory.h"
#include "base/unique_fd.h"
#include "engine/worker_channel.h"
#include "engine/worker_lanes.h"

namespace axle {

struct WorkerChannel::Life {
  WorkerChannel& channel;           // outlives the watcher
  const WorkerOptions& options;
  SharedMemory memory;
  UniqueFd socket, output, stop;    // `stop`: an eventfd that ends the watch
  ChildProcess child;
  std::thread watcher;

  std::mutex send_mutex;            // of segments
  std::mutex mutex;                 // guards what follows
  std::condition_variable changed;  // a lane is free, a notice came, the end
  std::vector<uint32_t> free_lanes;
  uint64_t notices = 0;
  std::string last_words;           // the end of what it wrote to stdout and stderr
  std::string abandoned;            // why it was killed
  Status end;                       // how it ended
  bool reaped = false;              // its number is nobody's, or another's
  std::atomic<bool> ended{false};
  std::atomic<uint32_t> which{0};  // among the channel's lives; 0 until it is the current one
  std::atomic<uint64_t> notices_seen{0};
  std::array<uint32_t, worker::kLanes> seen{};  // of each lane's to_host; the lane's holder's
  std::string notice_bytes;         // the watcher's

  Life(WorkerChannel& owner, SharedMemory control, UniqueFd host_end, UniqueFd out, UniqueFd stop_event, ChildProcess started);
  ~Life();
  worker::Control& control() noexcept { return *reinterpret_cast<worker::Control*>(memory.data()); }

  // ---- calls ----
  Result<uint32_t> take_lane();
  void return_lane(uint32_t lane);
  Result<std::string> exchange(uint32_t lane, const std::string& request, std::span<const FlatAttachment> attachments,
                               const std::function<void()>& poll);
  Status send_request(uint32_t lane, const std::string& request, size_t attachments, const std::function<void()>& poll);
  Status send_segments(uint32_t lane, std::span<const FlatAttachment> attachments);
  Result<std::string> take_reply(uint32_t lane, const std::function<void()>& poll);
  Status await(uint32_t lane, const std::function<void()>& poll);
  void await_notices(uint64_t count);
  void kill(const std::string& why);
  Status how_it_ended();

  // ---- the watch ----
  void watch();
  void take_output();
  bool take_notices();
  void finish(bool asked_to_end);
  // The channel's life is over, if this one is it.
  void withdraw();
};

}  // namespace axle
