#include "runtime/facts/probe_notes.h"

#include "runtime/runtime_state.h"

namespace axle {
namespace {

constexpr const char* kKind = "known-nodes-1";
constexpr const char* kFile = "known-nodes";
constexpr size_t kMostBytes = size_t{1} << 20;

}  // namespace

ProbeNotes::ProbeNotes(Runtime& runtime, const EngineFacts& engine, const CapabilityFacts& capability,
                       const std::string& custom_ops)
    : runtime_(runtime) {
  if (engine.library_digest.empty() || runtime.state().memo() == nullptr) return;
  auto folder = ScratchDir::create("", "axle-support");
  if (!folder) return;
  key_ = engine.info.name + "\t" + engine.library_digest + "\t" + capability.resource;
  if (!custom_ops.empty()) key_ += "\t" + custom_ops;
  folder_ = std::move(*folder);
  given_ = runtime.state().recall(kKind, key_).value_or("");
  if (!given_.empty() && !write_file_atomic(folder_->file(kFile), given_, kPrivateFileMode)) given_.clear();
}

void ProbeNotes::keep() {
  if (!folder_) return;
  const auto notes = read_file(folder_->file(kFile), kMostBytes);
  if (notes && !notes->empty() && *notes != given_) runtime_.state().remember(kKind, key_, *notes);
}

}  // namespace axle
