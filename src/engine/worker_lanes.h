// What the host and axle-worker share: a control segment with lanes. A lane carries one call at a time: its request in pieces
// one way, its reply in pieces the other, each piece announced by a sequence number that is also a futex. The socket beside it
// carries segments to the worker and notices to the host. Both sides are of one build: there is a version, not a format.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace axle::worker {

inline constexpr uint32_t kMagic = 0x4b575841;  // "AXWK"
inline constexpr uint32_t kVersion = 2;
inline constexpr uint32_t kLanes = 64;          // calls under way at once; more wait
inline constexpr size_t kPieceBytes = 64u << 10;
inline constexpr size_t kMaxNoticeBytes = 64u << 20;
// Descriptors of the worker at its start.
inline constexpr int kControlFd = 3, kSocketFd = 4;

// One direction of a lane. Whoever waits for it reads what the other wrote before posting it.
struct alignas(64) Mailbox {
  std::atomic<uint32_t> sequence;  // of the last piece posted; a futex
  std::atomic<uint32_t> waiting;   // the receiver sleeps, or is about to
  std::atomic<int32_t> cpu;        // where the sender ran
  uint32_t attachments;            // segments that come by the socket beside this message
  uint64_t piece_bytes;
  uint64_t left_bytes;             // that follow in further pieces
  uint64_t notices;                // in a reply: notices sent before it
};

struct alignas(64) Lane {
  Mailbox to_worker, to_host;
  std::byte request[kPieceBytes];
  std::byte reply[kPieceBytes];
};

struct alignas(64) Control {
  uint32_t magic, version;
  char host_version[56];           // of axle, NUL-terminated
  alignas(64) std::atomic<uint32_t> ready;  // 1 once the plugin is open; a futex
  std::atomic<uint32_t> spin;      // 1: wait actively for a moment before sleeping
  Lane lanes[kLanes];
};
static_assert(std::atomic<uint32_t>::is_always_lock_free);

// A segment on its way, in the bytes beside its descriptor.
struct SegmentRecord {
  uint32_t segment;
  uint32_t lane;
  uint64_t size_bytes;
  uint32_t file;  // 1: a file, else sealed memory
  uint32_t zero;
};

// How long a side waits actively. Long enough for a caller that comes back at once, too short to matter to anybody else.
inline constexpr std::chrono::microseconds kSpin{100};

// Copies the piece of `message` that begins at `at` into the lane's `buffer` (request or reply), notes its size in `box`, and gives
// where the next one begins. It is the receiver's once it is posted.
size_t put_piece(Mailbox& box, std::byte* buffer, std::string_view message, size_t at) noexcept;
// Tells the receiver that a piece is there.
void post(Mailbox& box) noexcept;
// Waits until `box` holds another piece than `seen`; false when `timeout` has passed. Spins first if `spin`, unless the sender
// shares the core: then nothing can come while we hold it.
bool wait(Mailbox& box, uint32_t seen, bool spin, std::optional<std::chrono::nanoseconds> timeout) noexcept;
bool wait_until_set(std::atomic<uint32_t>& word, std::chrono::nanoseconds timeout) noexcept;
void wake_all(std::atomic<uint32_t>& word) noexcept;

}  // namespace axle::worker
