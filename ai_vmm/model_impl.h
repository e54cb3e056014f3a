// What is behind a Model: a deployed session, or what a backend compiled.
#pragma once

#include <any>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "ai_vmm/model.hpp"
#include "axle/model.h"
#include "axle/policy.h"
#include "axle/runtime.h"
#include "axle/session.h"

namespace ai_vmm {

struct Model::Impl {
  std::any compiled;
  // The rest is for deployed models.
  std::optional<axle::Model> model;
  std::optional<axle::Session> session;
  std::shared_ptr<axle::Runtime> runtime;
  axle::Policy policy;
  ModelCategory category = ModelCategory::OTHER;
  std::string category_reason;
  double limit_ms = 0;
  mutable std::atomic<int64_t> executions{0}, violations{0}, worst_ns{0};
  std::set<std::string> staged_inputs;  // that the plan copies into another memory space
  uint64_t staged_bytes = 0;            // that every execution copies between spaces inside the plan, and out of it
  mutable std::atomic<int64_t> runs{0};
  mutable std::atomic<uint64_t> zero_copy_bytes{0}, copied_bytes{0};
};

// Inputs or outputs in this front door's words.
std::vector<TensorSpec> specs_of(const std::vector<axle::IoSpec>& declared);

}  // namespace ai_vmm
