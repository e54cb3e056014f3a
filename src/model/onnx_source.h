// What stands behind a Graph that came from ONNX. Includes the onnx headers: only a few .cc files may include this.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/graph.h"
#include "onnx/onnx_pb.h"

namespace axle {

struct OnnxSource {
  onnx::ModelProto header;              // everything but graph and functions
  std::vector<onnx::NodeProto> nodes;   // parallel to Graph::nodes; unique names
  std::map<std::string, onnx::TypeProto> other_types;  // of values that are not tensors, by name
  std::string folder;                   // absolute; external data, also inside node bodies, is relative to it; "" = none
  std::map<std::string, std::string> locations;  // Weight::path -> location as the model writes it
  std::string model_file;    // the model's own, absolute, links resolved; "" = read from bytes, or no location can name it
};

}  // namespace axle
