// The JSON of a graph's tensors in the planner's input. Arrays, not objects: models have tens of thousands of them.
#pragma once

#include <string>

#include "base/json.h"
#include "spec/planner_input.h"

namespace axle {

// [name, type, bytes, producer, [consumers]]
Json tensor_facts_to_json(const TensorFacts& tensor);
Result<TensorFacts> read_tensor_facts(const Json& json, const std::string& where);
// [bytes, [nodes]]
Json shared_weight_to_json(const SharedWeightFacts& weight);
Result<SharedWeightFacts> read_shared_weight(const Json& json, const std::string& where);

// INVALID_ARGUMENT: a tensor names a node that does not exist, is read before it is made, or has two tensors' name.
Status check_graph_facts(const ModelFacts& model, const std::string& where);

}  // namespace axle
