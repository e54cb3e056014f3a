// What a session runs: planned, where the policy says so with something measured first.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "axle/session.h"
#include "runtime/runtime_state.h"

namespace axle {

inline constexpr size_t kMostFailedLoads = 8;  // before a session gives up planning around them

// Plans. A policy with a tuning budget has what it lacks of evidence measured first; of a copy of the model that it forces, the error.
Result<Plan> plan_session(const Model& model, const SessionOptions& options);

// Stores as evidence that the plan could not be loaded, when that was the engine's own answer (it cannot compile this, or does
// something else than it was asked for). False: it was not, or there is nothing to keep it in; planning again changes nothing.
bool keep_failed_load(const Model& model, const SessionOptions& options, const Plan& plan, const Status& failure);

// A start spends most of its time in the dynamic linker, opening the engine. Which one it will be is most often the one of
// last time: it is opened while the machine is looked at and the plan is recalled. The plan alone decides what runs.
class EngineAhead {
 public:
  // `model`: its path, or its digest where it has none.
  EngineAhead(std::shared_ptr<Runtime> runtime, const std::string& model, const Policy& policy)
      : runtime_(std::move(runtime)), state_(runtime_->state()), key_(model + "\t" + policy_digest(policy)) {
    known_ = state_.recall("engine-ahead", key_);
    if (!known_) return;
    opening_ = std::async(std::launch::async, [this] { (void)state_.registry->open(*known_); });
  }
  void remember(const Plan& plan) {
    const std::string& engine = plan.partitions.front().candidate.engine;
    if (known_ != engine) state_.remember("engine-ahead", key_, engine);
  }

 private:
  const std::shared_ptr<Runtime> runtime_;
  Runtime::State& state_;
  const std::string key_;
  std::optional<std::string> known_;
  std::future<void> opening_;  // its destructor waits
};

}  // namespace axle
