// Any bytes as an ONNX model: read, analyse, cut, write.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "axle/model.h"
#include "model/extract.h"
#include "model/model_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  axle::ModelOptions options;
  options.format = axle::ModelFormat::kOnnx;
  options.limits.max_structure_bytes = 1 << 20;
  options.limits.max_nodes = 2000;
  options.limits.max_values = 5000;
  const auto model = axle::Model::from_bytes({reinterpret_cast<const std::byte*>(data), size}, "", options);
  if (!model) return 0;
  (void)model->summary();
  const auto graph = axle::graph_of(*model);
  if (!graph || (*graph)->nodes.empty()) return 0;
  std::vector<axle::NodeId> half;
  for (size_t i = 0; i < (*graph)->nodes.size(); i += 2) half.push_back(static_cast<axle::NodeId>(i));
  if (const auto part = axle::extract_graph(**graph, half); part.ok()) (void)(*part)->onnx_bytes();
  return 0;
}
