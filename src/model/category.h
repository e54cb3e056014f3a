// The category of a model by its structure: a short list of scored rules, each with the reason it gives.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/graph.h"

namespace axle {

struct Category {
  std::string name;  // LLM_TRANSFORMER, VISION_CNN, VISION_TRANSFORMER, SPEECH_RNN, RECOMMENDATION_SYSTEM, SCIENTIFIC_ML, OTHER
  std::string reason;  // what in the structure decided it
};

// `graph` is analysed; `op_counts` includes the operators of nested bodies.
Category classify(const Graph& graph, const std::map<std::string, uint64_t>& op_counts);

}  // namespace axle
