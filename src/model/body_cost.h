// Costs of If, Loop and Scan from their bodies. Includes the onnx headers: only a few .cc files may include this.
#pragma once

#include "model/graph.h"
#include "onnx/onnx_pb.h"

namespace axle {

// `inferred`: the graph's nodes after shape inference, matched by name. Fills body_flops and body_weight_bytes.
void cost_bodies(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& inferred, Graph& graph);

}  // namespace axle
