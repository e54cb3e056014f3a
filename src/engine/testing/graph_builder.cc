#include "engine/testing/graph_builder.h"

#include <cstring>

namespace axle::testing {

GraphBuilder::GraphBuilder() {
  graph_.name = "test";
  graph_.digest = "sha256:" + std::string(64, '0');
  graph_.opsets[""] = 17;
}

ValueId GraphBuilder::value(const std::string& name) {
  if (name.empty()) return -1;
  for (size_t i = 0; i < graph_.values.size(); ++i) {
    if (graph_.values[i].name == name) return static_cast<ValueId>(i);
  }
  graph_.values.push_back({});
  graph_.values.back().name = name;
  graph_.values.back().dtype = DataType::kFloat32;
  return static_cast<ValueId>(graph_.values.size() - 1);
}

GraphBuilder& GraphBuilder::input(const std::string& name, SymbolicShape shape, DataType dtype) {
  const ValueId id = value(name);
  Value& made = graph_.values[static_cast<size_t>(id)];
  made.dtype = dtype;
  made.rank_known = true;
  made.shape = std::move(shape);
  graph_.inputs.push_back(id);
  return *this;
}

GraphBuilder& GraphBuilder::weight(const std::string& name, Shape shape, std::vector<float> values) {
  const ValueId id = value(name);
  auto owner = std::make_shared<std::vector<float>>(std::move(values));
  auto weight = std::make_shared<Weight>();
  weight->name = name;
  weight->dtype = DataType::kFloat32;
  weight->shape = shape;
  weight->bytes = std::as_bytes(std::span<const float>(*owner));
  weight->owner = owner;
  Value& made = graph_.values[static_cast<size_t>(id)];
  made.rank_known = true;
  for (const int64_t size : shape) made.shape.push_back({size, ""});
  made.weight = static_cast<int32_t>(graph_.weights.size());
  graph_.weights.push_back(std::move(weight));
  return *this;
}

GraphBuilder& GraphBuilder::node(const std::string& op_type, const std::vector<std::string>& inputs, const std::string& output,
                                 std::optional<SymbolicShape> shape, std::vector<Attribute> attributes) {
  Node node;
  node.name = op_type + "_" + std::to_string(graph_.nodes.size());
  node.op_type = op_type;
  node.opset = graph_.opsets.at("");
  for (const std::string& name : inputs) node.inputs.push_back(value(name));
  const ValueId out = value(output);
  node.outputs = {out};
  node.attributes = std::move(attributes);
  Value& made = graph_.values[static_cast<size_t>(out)];
  made.producer = static_cast<NodeId>(graph_.nodes.size());
  made.rank_known = shape.has_value();
  if (shape) made.shape = *std::move(shape);
  graph_.nodes.push_back(std::move(node));
  return *this;
}

GraphBuilder& GraphBuilder::domain(const std::string& domain, int64_t opset) {
  graph_.nodes.back().domain = domain;
  graph_.nodes.back().opset = opset;
  graph_.opsets[domain] = opset;
  return *this;
}

GraphBuilder& GraphBuilder::output(const std::string& name) {
  graph_.outputs.push_back(value(name));
  return *this;
}

GraphBuilder& GraphBuilder::digest(const std::string& digest) {
  graph_.digest = digest;
  return *this;
}

}  // namespace axle::testing
