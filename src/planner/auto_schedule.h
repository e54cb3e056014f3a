// What schedule.kind = "auto" takes beyond one resource and replicas: a split where no resource has the memory for the model, and under
// throughput a pipeline that was measured to complete more requests.
#pragma once

#include <optional>

#include "planner/replicas.h"

namespace axle {

// Adds the split where nothing else can be had because the memory of two resources or more is too small for the whole model. Errors as
// enumerate.
Status add_split_for_memory(const PlanningContext& context, const Demand& demand, Field& field);

// Adds the pipeline that rivals what one resource or replicas complete, where throughput is minimized for. Errors as enumerate.
Status add_pipeline(const PlanningContext& context, const Demand& demand, Field& field);

// Weighs the field's pipeline against what is chosen; either way a decision says so. True: it is chosen, as the last of the admitted.
// It must have been measured as it is cut, with several callers, and complete 5 % more: an estimate stands against nothing.
bool take_pipeline(const PlanningContext& context, const std::optional<ReplicaChoice>& replicas, Field& field, Choice& choice);

}  // namespace axle
