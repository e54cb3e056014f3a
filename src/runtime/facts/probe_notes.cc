#include "runtime/facts/probe_notes.h"

#include "base/hash.h"
#include "engine/engine.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

constexpr const char* kKind = "known-nodes-2";
constexpr const char* kFile = "known-nodes";
constexpr size_t kMostBytes = size_t{1} << 20;

}  // namespace

std::string asked_of(Runtime& runtime, const CapabilityFacts& capability) {
  Sha256 hash;
  hash.update_field(capability.resource);
  hash.update_field(capability.engine_id);
  const auto machine = runtime.machine();
  hash.update_field(machine ? machine->fingerprint() : std::string());
  if (const auto options = resolve_options(capability.capability, "default", {}); options) {
    for (const auto& [name, value] : *options) {
      hash.update_field(name);
      hash.update_field(value);
    }
  }
  return hash.finish().to_string();
}

ProbeNotes::ProbeNotes(Runtime& runtime, const EngineFacts& engine, const CapabilityFacts& capability,
                       const std::string& custom_ops)
    : runtime_(runtime) {
  if (engine.library_digest.empty() || runtime.state().memo() == nullptr) return;
  auto folder = ScratchDir::create("", "axle-support");
  if (!folder) return;
  key_ = engine.info.name + "\t" + engine.library_digest + "\t" + asked_of(runtime, capability);
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
