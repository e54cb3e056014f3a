// Which of two loaded plans a request goes to, by the number of requests that are in flight. Without a lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace axle {

class LoadSwitch {
 public:
  // High from `switch_at` requests in flight, and for `hold_ns` after there were as many last: callers that come one upon another are
  // not in flight between two of their requests.
  LoadSwitch(int32_t switch_at, int64_t hold_ns) : switch_at_(switch_at), hold_ns_(hold_ns) {}

  // One request, from the time it comes until this is gone. Null = counts nothing, the load is low.
  class Request {
   public:
    explicit Request(LoadSwitch* load) : load_(load), high_(load != nullptr && load->enter(steady_ns())) {}
    ~Request() {
      if (load_ != nullptr) load_->leave();
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    bool high() const { return high_; }

   private:
    LoadSwitch* load_;
    bool high_;
  };

  // Whether the load is high, with the request that comes at `now_ns`.
  bool enter(int64_t now_ns) {
    const int32_t in_flight = in_flight_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (in_flight >= switch_at_) {
      last_high_ns_.store(now_ns, std::memory_order_relaxed);
      return true;
    }
    const int64_t last_ns = last_high_ns_.load(std::memory_order_relaxed);
    return last_ns != kNever && now_ns - last_ns < hold_ns_;
  }
  void leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  static constexpr int64_t kNever = INT64_MIN;
  const int32_t switch_at_;
  const int64_t hold_ns_;
  std::atomic<int32_t> in_flight_{0};
  std::atomic<int64_t> last_high_ns_{kNever};
};

}  // namespace axle
