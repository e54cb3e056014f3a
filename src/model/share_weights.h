// Large weights that stay in the model's own file when a part of the model is written as ONNX: the part names the file, the offset and the
// length instead of holding a copy, and an engine maps them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "model/graph.h"

namespace axle {

// Smaller weights stay inline: engines look at them (shapes, axes, constants of single nodes), and a mapping is worth a page at least.
inline constexpr uint64_t kLeastSharedBytes = uint64_t{128} << 10;

// The same graph, written (Graph::onnx_bytes) with every weight of at least kLeastSharedBytes that lies densely in the model's file as
// external data in it. `graph` itself where there is none: the model was read from bytes, its weights are small or typed element by
// element, or its external data lies in another folder than its file.
std::shared_ptr<const Graph> share_weights(std::shared_ptr<const Graph> graph);

// Where external data can refer to the model's own file: its path, absolute, links resolved. "" = nowhere.
std::string shareable_file(const std::string& path);

}  // namespace axle
