// An engine registry in Python: one of its own, or that of a runtime, which it keeps.
#pragma once

#include <memory>

#include "axle/engine.h"
#include "axle/runtime.h"

namespace axle::python {

struct PythonRegistry {
  std::shared_ptr<EngineRegistry> own;
  std::shared_ptr<Runtime> runtime;
  EngineRegistry& get() const { return own ? *own : runtime->engines(); }
};

}  // namespace axle::python
