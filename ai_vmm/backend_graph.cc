#include "backend_graph.h"

#include <cstddef>
#include <utility>

#include "backend_engine.h"

namespace ai_vmm {
namespace {

namespace kit = axle::kit;

axle::Tensor taken(axle::Result<axle::Tensor> made) {
  if (!made) throw_error(std::move(made).error(), ErrorCategory::RUNTIME);
  return std::move(*made);
}

TensorSpec spec_of(const kit::Value& value) {
  TensorSpec spec{std::string(value.value_name()), static_cast<DataType>(value.dtype), {}, false};
  for (const axle_dim_t& dim : value.shape()) spec.shape.push_back(dim.size);
  return spec;
}

Tensor weight_tensor(const kit::Weight& weight) {
  auto kept = std::make_shared<const kit::Weight>(weight);
  axle::Shape shape(weight.shape().begin(), weight.shape().end());
  const Tensor tensor(taken(axle::Tensor::borrow_const(static_cast<DataType>(weight.dtype()), std::move(shape), weight.data(),
                                                       weight.size_bytes(), std::move(kept))));
  // A mapped file aligns nothing.
  return reinterpret_cast<uintptr_t>(weight.data()) % alignof(std::max_align_t) == 0 ? tensor : tensor.clone();
}

GraphNode::Attribute attribute_of(const kit::Attribute& attribute) {
  switch (attribute.kind) {
    case AXLE_ATTRIBUTE_INT:
    case AXLE_ATTRIBUTE_INTS: return std::vector<int64_t>(attribute.int_values().begin(), attribute.int_values().end());
    case AXLE_ATTRIBUTE_FLOAT:
    case AXLE_ATTRIBUTE_FLOATS: return std::vector<float>(attribute.float_values().begin(), attribute.float_values().end());
    case AXLE_ATTRIBUTE_TEXT: return std::string(kit::text(attribute.text));
    case AXLE_ATTRIBUTE_TEXTS: {
      std::vector<std::string> texts;
      for (size_t i = 0; i < attribute.count; ++i) texts.emplace_back(kit::text(attribute.texts[i]));
      return texts;
    }
    default: return std::monostate();
  }
}

}  // namespace

GraphNode node_of(const kit::Node& node) {
  GraphNode out{std::string(node.name()), std::string(node.op_type()), std::string(node.domain()), node.opset(), {}, {}, {},
                node.has_subgraph()};
  for (uint32_t i = 0; i < node.input_count(); ++i) out.inputs.emplace_back(node.input(i).value_name());
  for (uint32_t i = 0; i < node.output_count(); ++i) out.outputs.emplace_back(node.output(i).value_name());
  for (uint32_t i = 0; i < node.attribute_count(); ++i) {
    const kit::Attribute attribute = node.attribute(i);
    out.attributes.emplace(std::string(attribute.attribute_name()), attribute_of(attribute));
  }
  return out;
}

ModelGraph graph_of(const kit::Graph& graph, bool weights) {
  ModelGraph out;
  out.digest = graph.digest();
  out.format = graph.format();
  out.path = graph.path();
  out.category = category_of_graph(out.digest, out.path);
  for (uint32_t i = 0; i < graph.input_count(); ++i) out.inputs.push_back(spec_of(graph.input(i)));
  for (uint32_t i = 0; i < graph.output_count(); ++i) out.outputs.push_back(spec_of(graph.output(i)));
  for (const kit::Node& node : graph.nodes()) out.nodes.push_back(node_of(node));
  for (uint32_t i = 0; weights && i < graph.weight_count(); ++i) {
    const kit::Weight weight = graph.weight(i);
    out.weights.emplace(std::string(weight.name()), weight_tensor(weight));
  }
  out.onnx = [&graph] {
    try {
      return graph.onnx().bytes;
    } catch (const kit::Error& error) {
      throw CompilationError(
          axle::Status(static_cast<axle::StatusCode>(error.code()), error.message()).with_hint(error.hint()));
    }
  };
  return out;
}

Tensor view_of(const axle_tensor_t& tensor) {
  const auto shape = kit::shape_of(tensor);
  return Tensor(taken(axle::Tensor::borrow_const(static_cast<DataType>(tensor.dtype), axle::Shape(shape.begin(), shape.end()),
                                                 tensor.data, tensor.size_bytes)));
}

}  // namespace ai_vmm
