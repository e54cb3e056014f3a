// Small graphs made by hand, for tests of everything above the model layer.
//   auto graph = GraphBuilder().input("x", {{-1, "n"}, {4, ""}}).weight("w", {4}, {1, 2, 3, 4})
//                    .node("Add", {"x", "w"}, "y").output("y").build();
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/graph.h"

namespace axle::testing {

class GraphBuilder {
 public:
  GraphBuilder();
  GraphBuilder& input(const std::string& name, SymbolicShape shape, DataType dtype = DataType::kFloat32);
  GraphBuilder& weight(const std::string& name, Shape shape, std::vector<float> values);
  // One output of f32; "" in `inputs` = omitted. `shape` absent: rank unknown.
  GraphBuilder& node(const std::string& op_type, const std::vector<std::string>& inputs, const std::string& output,
                     std::optional<SymbolicShape> shape = std::nullopt, std::vector<Attribute> attributes = {});
  // The last node's domain or opset.
  GraphBuilder& domain(const std::string& domain, int64_t opset);
  GraphBuilder& output(const std::string& name);
  GraphBuilder& digest(const std::string& digest);
  std::shared_ptr<const Graph> build() const { return std::make_shared<Graph>(graph_); }

 private:
  ValueId value(const std::string& name);
  Graph graph_;
};

}  // namespace axle::testing
