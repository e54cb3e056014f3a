// Gates: each looks at one thing and either lets pass or says why not, in words a user can act on. The lists at the end are
// the order in which they are asked; the first that speaks decides.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "planner/context.h"
#include "planner/demand.h"
#include "planner/learned.h"

namespace axle {

struct Rejection {
  std::string code;
  std::string reason;
  std::vector<NodeReason> nodes;
  DecisionVerdict verdict = DecisionVerdict::kRejected;
  bool lacks_evidence = false;  // measuring could change it
};
using Gate = std::optional<Rejection>;

// An engine on a resource that it reaches.
struct Place {
  const EngineFacts* engine = nullptr;
  const CapabilityFacts* facts = nullptr;
  const Resource* resource = nullptr;
  std::string name() const { return engine->info.name + "@" + resource->id; }
};

struct MixedPlan;  // planner/mixed_plan.h

struct Considered {
  const VariantFacts* variant = nullptr;  // that runs instead of the model
  Place place;          // of a mixed plan: where its first part runs
  Candidate candidate;  // of a mixed plan: its first part's, at the precision furthest from the model's own
  std::shared_ptr<const MixedPlan> mixed;  // null = the whole model on one candidate
  std::map<std::string, std::string> options;  // complete
  bool changes_numerics = false;  // its preset does, beyond the precision
  bool gated = false;             // its error had to be measured
  int64_t estimate_ns = 0;        // scaled by what was learned
  Learned learned;
  uint64_t estimate_bytes = 0;
  CandidateEvidence evidence;
  // The candidate's, or the mixed plan's: its name in evidence and decisions.
  std::string name() const;
};

// What the policy says of the engine: its own line, else what holds for all.
Isolation asked_isolation(const Policy& policy, const std::string& engine);
// True when the engine runs in a process of its own there: the policy says so, or leaves it open and the engine cannot keep to
// the core set by itself.
bool runs_isolated(const PlanningContext& context, const Place& place);

using EngineGate = Gate (*)(const PlanningContext&, const Demand&, const EngineFacts&);
using ResourceGate = Gate (*)(const PlanningContext&, const Demand&, const Resource&);
using PlaceGate = Gate (*)(const PlanningContext&, const Place&);
using PrecisionGate = Gate (*)(const PlanningContext&, const Demand&, const Place&, const PrecisionSpec&);
using CandidateGate = Gate (*)(const PlanningContext&, const Demand&, const Considered&);

std::span<const EngineGate> engine_gates();
std::span<const ResourceGate> resource_gates();
std::span<const PlaceGate> place_gates();
std::span<const PrecisionGate> precision_gates();
std::span<const CandidateGate> candidate_gates();

// Of place_gates(): an engine that takes fixed shapes only needs every axis fixed (prepared_shapes.cc).
Gate gate_dynamic_shapes(const PlanningContext& context, const Place& place);

// A prepared variant at this place; `precision` is what the engine offers of the variant's. It speaks for the place as precision
// gates do for the model itself.
Gate gate_variant(const PlanningContext& context, const Demand& demand, const Place& place, const PrecisionSpec& precision,
                  const VariantFacts& variant);
// "int8~qdq-1a2b3c4d", "int8~qdq" before it is prepared.
std::string variant_text(const VariantFacts& variant);

// Peak memory: measured, else estimated.
uint64_t needed_bytes(const Considered& considered);

// True when the candidate's error must be known and within the bound before it is admitted.
bool needs_accuracy_gate(const PlanningContext& context, const Demand& demand, const Considered& considered);
// The bound in force: the policy's, or max_relative_error 1e-2 where it lists several precisions and gives none.
AccuracyGate bound_in_force(const PlanningContext& context, const Demand& demand);
// The same for a policy as it is written.
AccuracyGate bound_of(const Policy& policy);
// "max relative error 4.1e-3 (bound 1e-2)" for each bound that is broken, or "" when all hold.
std::string broken_bounds(const AccuracyGate& bound, const ErrorFigures& error);

// Ends the preset of a candidate in a process of its own, and what a call costs there beyond the engine's own time: a wake-up
// on another core and back.
inline constexpr const char* kIsolatedSuffix = "+process";
inline constexpr int64_t kIsolatedCallNs = 50'000;
inline constexpr double kListedPrecisionBound = 1e-2;
inline constexpr size_t kMaxNodeReasons = 100;  // per decision; the reason gives the full count

}  // namespace axle
