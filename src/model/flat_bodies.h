// Where values go: the nodes inside If, Loop and Scan beside those around them. For reading, nothing runs it.
#pragma once

#include <memory>
#include <string_view>

#include "model/graph.h"

namespace axle {

// Domain of If, Loop and Scan without their bodies, and of the nodes that stand for ways into bodies and out of them, whose operators
// these are.
inline constexpr std::string_view kFlowDomain = "axle.flow";
inline constexpr std::string_view kFlowSame = "Same";    // each element is that of one of its inputs, at the same place
inline constexpr std::string_view kFlowMoved =
    "Moved";  // the elements of its inputs, elsewhere: slices, or slices put together
inline constexpr std::string_view kFlowNew = "New";      // no inputs: the number of a turn, what only the operator knows

// `graph` with every body's nodes, constants and values in it. A node with bodies keeps its operator's name and its inputs and loses
// its bodies; what If, Loop and Scan give comes from flow nodes. What a turn hands to the next one is left out: that would be
// a cycle. `graph` itself where there are no bodies.
Result<std::shared_ptr<const Graph>> flat_bodies(std::shared_ptr<const Graph> graph);

}  // namespace axle
