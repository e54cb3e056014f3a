// A Graph as part of a flat message: structure inline, weights in shared memory, ONNX bytes inline when they can be made.
#pragma once

#include <functional>
#include <memory>

#include "engine/flat_message.h"
#include "engine/graph_handle.h"

namespace axle {

// `place_weights` puts the dense bytes of all weights somewhere shared and says where each is.
Status write_graph(FlatWriter& writer, const GraphView& view,
                   const std::function<Result<std::vector<FlatPlace>>(const Graph& graph)>& place_weights);

struct FlatSpan {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};
// `resolve` gives the bytes of a place, INVALID_ARGUMENT when there are none. The graph is checked as far as GraphIndex wants.
Result<std::shared_ptr<const Graph>> read_graph(FlatReader& reader,
                                                const std::function<Result<FlatSpan>(const FlatPlace&)>& resolve);

}  // namespace axle
