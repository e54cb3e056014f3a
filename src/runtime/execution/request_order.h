// RequestOrder: answers leave a session in the order in which its requests came, whichever is done first. A request that fails tells
// so at once, and nobody waits for it any longer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>

#include "axle/cancel.h"

namespace axle {

class RequestOrder {
 public:
  // A place in the order, from when it is made until it is gone. Of no order it keeps nothing in order.
  class Ticket {
   public:
    explicit Ticket(RequestOrder* order) : order_(order), number_(order != nullptr ? order->enter() : 0) {}
    ~Ticket() {
      if (order_ != nullptr) order_->leave(number_);
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    // Blocks until all that came before are gone. CANCELLED, DEADLINE_EXCEEDED.
    Status wait(const CancelToken& cancel) { return order_ != nullptr ? order_->wait(number_, cancel) : ok_status(); }

   private:
    RequestOrder* order_;
    uint64_t number_;
  };

  // Held while a ticket is made and its request is queued: then requests stand in the queue in the order of their tickets.
  std::unique_lock<std::mutex> entering() { return std::unique_lock(entry_); }

 private:
  uint64_t enter();
  void leave(uint64_t number);
  Status wait(uint64_t number, const CancelToken& cancel);

  std::mutex entry_;
  std::mutex mutex_;
  std::condition_variable gone_;
  std::set<uint64_t> here_;
  uint64_t next_ = 0;
};

}  // namespace axle
