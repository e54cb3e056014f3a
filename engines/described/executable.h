// A loaded artefact and its contexts, over a runtime adapter.
#pragma once

#include <memory>

#include "base/file.h"
#include "runtime_adapter.h"

namespace axle::described {

// What the kit throws for a failure of ours: the same code, message, hint and vendor code.
kit::Error to_error(const Status& status);
inline void throw_if_error(const Status& status) {
  if (!status.ok()) throw to_error(status);
}
template <typename T>
T value_or_throw(Result<T> result) {
  throw_if_error(result.status());
  return std::move(result).value();
}

// `folder` holds what the adapter works with, and goes with the executable.
std::unique_ptr<kit::Executable> make_executable(kit::Io io, std::shared_ptr<BinaryRuntimeAdapter> adapter,
                                                 std::shared_ptr<ScratchDir> folder);

}  // namespace axle::described
