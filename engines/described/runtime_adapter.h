// The vendor's runtime over one loaded artefact: a program that is run for each call, or functions of a library.
#pragma once

#include <memory>
#include <span>

#include "artefact_record.h"
#include "description.h"
#include "placeholders.h"

namespace axle::described {

struct RunTensor {
  const kit::IoSpec* spec = nullptr;
  void* data = nullptr;  // dense; of exactly the spec's bytes
  size_t size_bytes = 0;
};

// Thread-safe.
class BinaryRuntimeAdapter {
 public:
  virtual ~BinaryRuntimeAdapter() = default;
  // Outputs are written only when everything went well.
  virtual Status run(std::span<const RunTensor> inputs, std::span<const RunTensor> outputs, const kit::Cancel& cancel) = 0;
};

struct RuntimeLoad {
  std::shared_ptr<const Description> description;
  Values values;         // options, threads, precision, artefact and what find_tools gave; no folder of a run
  std::string artefact;  // folder with the artefact's files under their own names
  std::string scratch;   // lives as long as the adapter
};

// kind = "command": nothing is loaded before the first run.
Result<std::unique_ptr<BinaryRuntimeAdapter>> load_command_runtime(RuntimeLoad load);
// kind = "library": opened and loaded here. What load says of a failure stands in the status.
Result<std::unique_ptr<BinaryRuntimeAdapter>> load_library_runtime(RuntimeLoad load);
// By the description's kind of runtime.
Result<std::unique_ptr<BinaryRuntimeAdapter>> load_runtime(RuntimeLoad load);
// kind = "none": every run is UNIMPLEMENTED, with the description's reason.
Result<std::unique_ptr<BinaryRuntimeAdapter>> load_no_runtime(const RuntimeLoad& load);

}  // namespace axle::described
