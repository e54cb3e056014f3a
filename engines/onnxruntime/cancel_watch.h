// Turns polled cancel tokens into calls on the vendor: one thread per process looks at every watched token each millisecond.
// The thread starts with the first watch and sleeps when nothing has been watched for a while.
#pragma once

#include <functional>

#include "axle/engine_kit.h"

namespace axle::ort {

class CancelWatch {
 public:
  // `stop` is called at most once, on the watching thread, when the token is cancelled; it must be quick and must not throw.
  // Nothing happens for a token that cannot be cancelled.
  CancelWatch(const kit::Cancel& cancel, void (*stop)(void*), void* argument);
  // After this `stop` is not called any more and not running.
  ~CancelWatch();
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

  bool fired() const noexcept;

 private:
  friend class CancelPoller;
  const kit::Cancel cancel_;
  void (*stop_)(void*);
  void* argument_;
  bool watched_ = false;
  bool fired_ = false;
  CancelWatch* next_ = nullptr;
  CancelWatch* previous_ = nullptr;
};

}  // namespace axle::ort
