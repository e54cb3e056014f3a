// What the renderers of axle/explain.h take, made of what Python has.
#pragma once

#include <string>

#include "axle/explain.h"
#include "session_core.h"

namespace axle::python {

inline TextStyle style_of(bool verbose, int width, bool color = false) {
  TextStyle style;
  style.verbose = verbose;
  style.width = width;
  style.color = color;
  return style;
}

// Everything a session can say of itself; `machine` and `core` must outlive it.
RunDocument document_of(const SessionCore& core, const Machine& machine);

}  // namespace axle::python
