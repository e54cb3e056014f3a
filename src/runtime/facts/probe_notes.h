// What an engine writes down while it answers `support` (file known-nodes of the call's scratch folder, docs/formats/engine-answers.md): kept with
// the library that it speaks of, and given back with the next question, of any model, in any process. What it says is the engine's own affair.
#pragma once

#include <optional>
#include <string>

#include "axle/runtime.h"
#include "base/file.h"
#include "spec/planner_input.h"

namespace axle {

// Of whom a question is asked besides the engine's library: its device as the engine and the machine know it, under the options that are
// always given. What is remembered of the answer holds for these; text without tabs.
std::string asked_of(Runtime& runtime, const CapabilityFacts& capability);

class ProbeNotes {
 public:
  // `custom_ops` as pinned in the policy: other operators, other notes. Nothing is given or kept without a cache or a library digest.
  ProbeNotes(Runtime& runtime, const EngineFacts& engine, const CapabilityFacts& capability, const std::string& custom_ops);

  // The scratch folder of the question, holding what is known; "" = let the engine's host make one.
  std::string folder() const { return folder_ ? folder_->path() : std::string(); }
  // After the answer: keeps the notes where they changed. What cannot be kept is found out again next time.
  void keep();

 private:
  Runtime& runtime_;
  std::string key_;
  std::string given_;
  std::optional<ScratchDir> folder_;
};

}  // namespace axle
