#include "trace/recorder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace axle {
namespace {

static_assert(std::is_trivially_copyable_v<TraceEvent>);
constexpr size_t kWords = (sizeof(TraceEvent) + 7) / 8;
constexpr size_t kMaxCapacity = size_t{1} << 24;

}  // namespace

// A slot is a small seqlock: sequence 2n+1 while event n is written, 2n+2 once it is there. The payload is words of
// atomics, so that a reader that loses the race reads garbage it then throws away, not undefined behaviour. Release
// stores and acquire loads of the words keep them between the two looks at the sequence; thread sanitizers follow them,
// as they do not follow fences.
struct TraceRecorder::Slot {
  std::atomic<uint64_t> sequence{0};
  std::array<std::atomic<uint64_t>, kWords> words{};
};

std::string_view TraceLog::text(TraceText id) const noexcept {
  return id < texts.size() ? std::string_view(texts[id]) : std::string_view();
}

TraceRecorder::TraceRecorder(size_t capacity)
    : mask_(std::bit_ceil(std::clamp<size_t>(capacity, 2, kMaxCapacity)) - 1), slots_(new Slot[mask_ + 1]) {
  texts_.push_back(&ids_.emplace(std::string(), 0).first->first);
}

TraceRecorder::~TraceRecorder() = default;

void TraceRecorder::record(const TraceEvent& event) noexcept {
  const uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
  Slot& slot = slots_[number & mask_];
  uint64_t before = slot.sequence.load(std::memory_order_relaxed);
  // Another writer is a whole ring behind or ahead on this slot: give way rather than wait.
  if ((before & 1) != 0 || before > 2 * number ||
      !slot.sequence.compare_exchange_strong(before, 2 * number + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
    return;  // log() counts it as lost: its number was taken
  }
  TraceEvent filled = event;
  if (filled.thread == 0) filled.thread = trace_thread_id();
  std::array<uint64_t, kWords> words{};
  std::memcpy(words.data(), &filled, sizeof filled);
  for (size_t i = 0; i < kWords; ++i) slot.words[i].store(words[i], std::memory_order_release);
  slot.sequence.store(2 * number + 2, std::memory_order_release);
}

TraceText TraceRecorder::intern(std::string_view text) {
  const std::lock_guard lock(texts_mutex_);
  if (const auto found = ids_.find(text); found != ids_.end()) return found->second;
  if (texts_.size() >= kMaxTexts) return 0;
  const auto id = static_cast<TraceText>(texts_.size());
  texts_.push_back(&ids_.emplace(std::string(text), id).first->first);
  return id;
}

TraceLog TraceRecorder::log() const {
  TraceLog log;
  const uint64_t end = next_.load(std::memory_order_acquire);
  const uint64_t first = first_.load(std::memory_order_acquire);
  const uint64_t begin = std::max(first, end > capacity() ? end - capacity() : 0);
  log.events.reserve(static_cast<size_t>(end - begin));
  for (uint64_t number = begin; number < end; ++number) {
    const Slot& slot = slots_[number & mask_];
    if (slot.sequence.load(std::memory_order_acquire) != 2 * number + 2) continue;
    std::array<uint64_t, kWords> words{};
    for (size_t i = 0; i < kWords; ++i) words[i] = slot.words[i].load(std::memory_order_acquire);
    if (slot.sequence.load(std::memory_order_relaxed) != 2 * number + 2) continue;
    TraceEvent event;
    std::memcpy(static_cast<void*>(&event), words.data(), sizeof event);
    log.events.push_back(event);
  }
  log.lost = (end - first) - log.events.size();
  std::stable_sort(log.events.begin(), log.events.end(),
                   [](const TraceEvent& a, const TraceEvent& b) { return a.start_ns < b.start_ns; });
  const std::lock_guard lock(texts_mutex_);
  for (const std::string* text : texts_) log.texts.push_back(*text);
  return log;
}

void TraceRecorder::clear() noexcept { first_.store(next_.load(std::memory_order_acquire), std::memory_order_release); }

}  // namespace axle
