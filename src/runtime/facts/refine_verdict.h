// Refining verdicts. An engine that refuses a graph often knows only the first thing that stood in its way, and says of the other
// nodes "unknown". Asked again about the parts that remain, it says more; the answers are recorded like any other.
#pragma once

#include <functional>
#include <memory>

#include "axle/engine.h"
#include "model/graph.h"

namespace axle {

inline constexpr int kMaxRefiningQuestions = 64;

using AskSupport = std::function<Result<GraphVerdict>(std::shared_ptr<const Graph>)>;

// `verdict` as it is, unless it refuses the graph and leaves nodes unknown: then every node of a part that the engine takes is a
// yes. A refusal that names no node is looked for in halves of the part; one that no half repeats stands for all of it. Parts that
// cannot be cut out, and what the questions do not suffice for, stay unknown or refused, as they were.
GraphVerdict refine_verdict(const Graph& graph, GraphVerdict verdict, const AskSupport& ask);

}  // namespace axle
