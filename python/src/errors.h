// The one place where a Status becomes a Python exception; the table of classes is python/axle/errors.py.
// Every function here wants the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <utility>

#include "axle/status.h"

namespace axle::python {

// Throws the Python exception for a failure.
[[noreturn]] void raise_status(const Status& status);

inline void check(const Status& status) {
  if (!status.ok()) [[unlikely]]
    raise_status(status);
}

template <typename T>
T take(Result<T> result) {
  if (!result) [[unlikely]]
    raise_status(result.error());
  return std::move(result).value();
}

}  // namespace axle::python
