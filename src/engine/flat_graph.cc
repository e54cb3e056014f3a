#include "engine/flat_graph.h"

namespace axle {
namespace {

constexpr uint32_t kLastAttributeKind = static_cast<uint32_t>(AttributeKind::kGraph);

void write_value(FlatWriter& writer, const Value& value) {
  writer.text(value.name).u32(static_cast<uint32_t>(value.dtype)).u32(value.is_tensor ? 1 : 0).u32(value.rank_known ? 1 : 0);
  writer.i32(value.weight).i32(value.producer).u64(value.shape.size());
  for (const Dim& dim : value.shape) writer.i64(dim.size).text(dim.symbol);
}

Value read_value(FlatReader& reader) {
  Value value;
  value.name = reader.text();
  const uint32_t dtype = reader.u32();
  if (dtype >= static_cast<uint32_t>(kDataTypeCount)) reader.fail("unknown element type");
  value.dtype = static_cast<DataType>(dtype);
  value.is_tensor = reader.u32() != 0;
  value.rank_known = reader.u32() != 0;
  value.weight = reader.i32();
  value.producer = reader.i32();
  const size_t rank = reader.count(16);
  for (size_t i = 0; i < rank && reader.ok(); ++i) {
    Dim dim;
    dim.size = reader.i64();
    dim.symbol = reader.text();
    value.shape.push_back(std::move(dim));
  }
  return value;
}

void write_node(FlatWriter& writer, const Node& node) {
  writer.text(node.name).text(node.op_type).text(node.domain).i64(node.opset).u32(node.has_subgraph ? 1 : 0);
  writer.numbers<int32_t>(node.inputs).numbers<int32_t>(node.outputs).u64(node.attributes.size());
  for (const Attribute& attribute : node.attributes) {
    writer.text(attribute.name).u32(static_cast<uint32_t>(attribute.kind));
    writer.numbers<int64_t>(attribute.ints).numbers<float>(attribute.floats).u64(attribute.texts.size());
    for (const std::string& text : attribute.texts) writer.text(text);
  }
}

Attribute read_attribute(FlatReader& reader) {
  Attribute attribute;
  attribute.name = reader.text();
  const uint32_t kind = reader.u32();
  if (kind > kLastAttributeKind) reader.fail("unknown kind of attribute");
  attribute.kind = static_cast<AttributeKind>(kind);
  attribute.ints = reader.numbers<int64_t>();
  attribute.floats = reader.numbers<float>();
  const size_t texts = reader.count(8);
  for (size_t i = 0; i < texts && reader.ok(); ++i) attribute.texts.emplace_back(reader.text());
  return attribute;
}

Node read_node(FlatReader& reader) {
  Node node;
  node.name = reader.text();
  node.op_type = reader.text();
  node.domain = reader.text();
  node.opset = reader.i64();
  node.has_subgraph = reader.u32() != 0;
  node.inputs = reader.numbers<int32_t>();
  node.outputs = reader.numbers<int32_t>();
  const size_t attributes = reader.count(8);
  for (size_t i = 0; i < attributes && reader.ok(); ++i) node.attributes.push_back(read_attribute(reader));
  return node;
}

void write_weight(FlatWriter& writer, const Weight& weight, const FlatPlace& place) {
  writer.text(weight.name).u32(static_cast<uint32_t>(weight.dtype)).numbers<int64_t>(weight.shape);
  write_place(writer, place);
  writer.text(weight.path).u64(weight.file_offset).u64(weight.texts.size());
  for (const std::string& text : weight.texts) writer.text(text);
}

Status read_weight(FlatReader& reader, const std::function<Result<FlatSpan>(const FlatPlace&)>& resolve, Graph& graph) {
  auto weight = std::make_shared<Weight>();
  weight->name = reader.text();
  const uint32_t dtype = reader.u32();
  weight->shape = reader.numbers<int64_t>();
  const FlatPlace place = read_place(reader);
  weight->path = reader.text();
  weight->file_offset = reader.u64();
  const size_t texts = reader.count(8);
  for (size_t i = 0; i < texts && reader.ok(); ++i) weight->texts.emplace_back(reader.text());
  if (dtype >= static_cast<uint32_t>(kDataTypeCount)) reader.fail("unknown element type");
  if (!reader.ok()) return ok_status();  // said by finish()
  weight->dtype = static_cast<DataType>(dtype);
  if (place.segment != 0) {
    AXLE_ASSIGN_OR_RETURN(const FlatSpan span, resolve(place));
    weight->bytes = span.bytes;
    weight->owner = span.owner;
  }
  graph.weights.push_back(std::move(weight));
  return ok_status();
}

}  // namespace

Status write_graph(FlatWriter& writer, const GraphView& view,
                   const std::function<Result<std::vector<FlatPlace>>(const Graph& graph)>& place_weights) {
  const Graph& graph = view.index().graph();
  AXLE_ASSIGN_OR_RETURN(const std::vector<FlatPlace> places, place_weights(graph));
  writer.text(graph.name).text(graph.format).text(graph.path).text(graph.digest).i64(graph.ir_version);
  writer.u64(graph.opsets.size());
  for (const auto& [domain, version] : graph.opsets) writer.text(domain).i64(version);
  writer.u64(graph.values.size());
  for (const Value& value : graph.values) write_value(writer, value);
  writer.u64(graph.nodes.size());
  for (const Node& node : graph.nodes) write_node(writer, node);
  writer.u64(graph.weights.size());
  for (size_t i = 0; i < graph.weights.size(); ++i) write_weight(writer, *graph.weights[i], places[i]);
  writer.numbers<int32_t>(graph.inputs).numbers<int32_t>(graph.outputs);
  // The other side cannot make them, and may ask for them at any moment of the verb.
  if (!graph.onnx_bytes) {
    writer.u32(0);
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const auto bytes, view.onnx_bytes());
  writer.u32(1).text(bytes->bytes).text(bytes->folder);
  return ok_status();
}

Result<std::shared_ptr<const Graph>> read_graph(FlatReader& reader,
                                                const std::function<Result<FlatSpan>(const FlatPlace&)>& resolve) {
  auto graph = std::make_shared<Graph>();
  graph->name = reader.text();
  graph->format = reader.text();
  graph->path = reader.text();
  graph->digest = reader.text();
  graph->ir_version = reader.i64();
  const size_t opsets = reader.count(16);
  for (size_t i = 0; i < opsets && reader.ok(); ++i) {
    const std::string domain(reader.text());
    graph->opsets[domain] = reader.i64();
  }
  const size_t values = reader.count(32);
  for (size_t i = 0; i < values && reader.ok(); ++i) graph->values.push_back(read_value(reader));
  const size_t nodes = reader.count(60);
  for (size_t i = 0; i < nodes && reader.ok(); ++i) graph->nodes.push_back(read_node(reader));
  const size_t weights = reader.count(40);
  for (size_t i = 0; i < weights && reader.ok(); ++i) AXLE_RETURN_IF_ERROR(read_weight(reader, resolve, *graph));
  graph->inputs = reader.numbers<int32_t>();
  graph->outputs = reader.numbers<int32_t>();
  if (reader.u32() != 0) {
    auto bytes = std::make_shared<Graph::OnnxBytes>();
    bytes->bytes = reader.text();
    bytes->folder = reader.text();
    graph->onnx_bytes = [bytes]() -> Result<std::shared_ptr<const Graph::OnnxBytes>> {
      return std::shared_ptr<const Graph::OnnxBytes>(bytes);
    };
  }
  if (!reader.ok()) return reader.finish();
  return std::shared_ptr<const Graph>(std::move(graph));
}

}  // namespace axle
