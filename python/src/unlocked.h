// Work without the GIL: unlocked([&] { return cache.ls(); }).
#pragma once

#include <nanobind/nanobind.h>

namespace axle::python {

template <typename F>
auto unlocked(F work) {
  const nanobind::gil_scoped_release released;
  return work();
}

}  // namespace axle::python
