// A compiler without a runtime: what it makes is for a device that is somewhere else.
#include "runtime_adapter.h"

namespace axle::described {
namespace {

class NoRuntimeAdapter final : public BinaryRuntimeAdapter {
 public:
  explicit NoRuntimeAdapter(std::shared_ptr<const Description> description) : description_(std::move(description)) {}
  Status run(std::span<const RunTensor>, std::span<const RunTensor>, const kit::Cancel&) override {
    return unimplemented_error(description_->info.name + " only compiles: " + description_->runtime.reason)
        .with_hint("the artefact is in the cache (axle cache ls); choose another engine to run the model here");
  }

 private:
  std::shared_ptr<const Description> description_;
};

}  // namespace

Result<std::unique_ptr<BinaryRuntimeAdapter>> load_no_runtime(const RuntimeLoad& load) {
  return std::unique_ptr<BinaryRuntimeAdapter>(std::make_unique<NoRuntimeAdapter>(load.description));
}

Result<std::unique_ptr<BinaryRuntimeAdapter>> load_runtime(RuntimeLoad load) {
  switch (load.description->runtime.kind) {
    case RuntimeKind::kLibrary: return load_library_runtime(std::move(load));
    case RuntimeKind::kCommand: return load_command_runtime(std::move(load));
    case RuntimeKind::kNone: break;
  }
  return load_no_runtime(load);
}

}  // namespace axle::described
