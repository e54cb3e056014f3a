// MixedPlan: the model in several parts, each on a candidate of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "planner/enumerate.h"

namespace axle {

struct MixedPart {
  Considered on;                   // where, with which options; its evidence is of the whole model there
  std::vector<int32_t> nodes;      // ascending
  std::vector<int32_t> own;        // of those, what was put here; the others are constants that are computed here too
  std::vector<std::string> inputs, outputs;  // tensors at the cut, in the order of the facts
  int64_t expected_ns = 0;
  bool fallback = false;           // on what only a fallback of the policy admits
};

// How the parts of a plan take turns.
enum class PartsRun : uint8_t {
  kInTurn,  // one after the other, on the thread that calls
  kStages,  // a pipeline: at the same time, on different requests
  kSplit,   // one after the other, each on a resource of its own
};

struct MixedPlan {
  std::vector<std::shared_ptr<const void>> keeps;  // what the parts' pointers point into
  const ModelFacts* model = nullptr;  // that is cut: the planner's, or a copy's
  std::vector<MixedPart> parts;       // in execution order
  std::vector<Transfer> transfers;
  std::string name;                   // plan_name() of its partitions
  int64_t expected_ns = 0;
  int32_t preferences_met = 0;        // pins whose preference every node got
  bool exact = false;                 // no cut costs less in the cost model
  PartsRun run = PartsRun::kInTurn;
  std::vector<std::string> fallback_reasons;  // per part; "" where it is none
};

// ---- what names the evidence of a plan, whoever measures it

// The candidate's name, or the mixed plan's: which candidates, and which nodes each runs.
std::string plan_name(const std::vector<Partition>& partitions);
// The candidate's library digest, or one over those of all parts.
std::string plan_library_digest(const std::vector<Partition>& partitions);

// The partitions of a mixed plan. Parts that share cores do not spin: each would wait on the other's cores. What was measured of
// the whole plan is spread over the parts as they were estimated.
std::vector<Partition> mixed_partitions(const PlanningContext& context, const Considered& considered);

// The pipeline whose slowest stage takes the least time, each stage on a resource of its own. It is cut by estimates, scaled by what
// was measured of the whole model in each place, and judged by them and by what was measured of the cut itself. Errors as enumerate.
Result<Field> enumerate_pipeline(const PlanningContext& context, const std::vector<Demand>& demands);

// The split that answers one request soonest, each part on a resource of its own and within its memory; of about equal ones that
// which spreads the weights best. Judged like a pipeline, and by what was measured of the split itself. Errors as enumerate.
Result<Field> enumerate_split(const PlanningContext& context, const std::vector<Demand>& demands);

// The cheapest plan that uses two places or more, or the decisions on why there is none. `demands`: what is demanded, then what may
// stand in for it (or nothing): the latter runs only what the former cannot. INVALID_ARGUMENT as enumerate.
Result<Field> enumerate_mixed(const PlanningContext& context, const std::vector<Demand>& demands);

}  // namespace axle
