// TraceRecorder: the sink of one session. A bounded ring shared by all threads: the newest events stay, older ones are
// overwritten and counted. Texts live as long as the recorder.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "trace/sink.h"

namespace axle {

// What a recorder held at one moment.
struct TraceLog {
  std::vector<TraceEvent> events;  // by start time
  std::vector<std::string> texts;  // texts[id]; texts[0] is ""
  uint64_t lost = 0;               // events overwritten or dropped since the recorder was made or cleared

  // "" for an id that is not known.
  std::string_view text(TraceText id) const noexcept;
};

class TraceRecorder final : public TraceSink {
 public:
  static constexpr size_t kDefaultCapacity = size_t{1} << 16;  // 4.5 MB
  static constexpr size_t kMaxTexts = size_t{1} << 20;

  // Room for `capacity` events, rounded up to a power of two within [2, 2^24].
  explicit TraceRecorder(size_t capacity = kDefaultCapacity);
  ~TraceRecorder() override;

  void record(const TraceEvent& event) noexcept override;
  TraceText intern(std::string_view text) override;

  size_t capacity() const noexcept { return mask_ + 1; }
  // A copy; recording may go on meanwhile. Events that are being written at this moment are left out.
  TraceLog log() const;
  // Forgets all events, keeps the texts. Events recorded meanwhile may be kept or forgotten.
  void clear() noexcept;

 private:
  struct Slot;
  size_t mask_;
  std::unique_ptr<Slot[]> slots_;
  alignas(64) std::atomic<uint64_t> next_{0};
  alignas(64) std::atomic<uint64_t> first_{0};  // events before this one were cleared

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  mutable std::mutex texts_mutex_;
  std::unordered_map<std::string, TraceText, TextHash, std::equal_to<>> ids_;
  std::vector<const std::string*> texts_;
};

}  // namespace axle
