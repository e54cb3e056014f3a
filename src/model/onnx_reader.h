// The ONNX reader: bytes in, a checked Graph out. Registers no operator schemas.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "axle/model.h"
#include "model/graph.h"
#include "model/onnx_tensor.h"

namespace axle {

struct OnnxRead {
  Graph graph;   // neither digest nor path yet; not sealed
  std::string producer;
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::shared_ptr<const MappedFile>> external_files;  // by location
};

// `folder`: where external data is looked up; "" = none allowed. Errors: see Model::load.
Result<OnnxRead> read_onnx(const ModelBytes& model, const std::string& folder, const ModelOptions& options);

}  // namespace axle
