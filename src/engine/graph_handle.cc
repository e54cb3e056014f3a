#include "engine/graph_handle.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/logging.h"
#include "engine/host_api.h"

namespace axle {

struct WeightHandle {
  std::shared_ptr<const Weight> weight;
  std::vector<axle_text_t> texts;  // elements of a string tensor
  mutable std::atomic<int64_t> references{1};
};

namespace {

std::atomic<int64_t> g_live_weights{0};

axle_text_t text_of(const std::string& text) noexcept { return {text.data(), text.size()}; }

// Copies what the other side's struct has room for and keeps its struct_size.
template <typename T>
int32_t fill(T* out, const T& value) noexcept {
  if (out == nullptr || out->struct_size < sizeof(size_t)) return AXLE_INVALID_ARGUMENT;
  const size_t size = out->struct_size;
  std::memcpy(static_cast<void*>(out), &value, std::min(size, sizeof(T)));
  out->struct_size = size;
  return AXLE_OK;
}

Status check_ids(const Graph& graph, const std::vector<ValueId>& ids, bool may_be_omitted) {
  for (const ValueId id : ids) {
    if (id == -1 && may_be_omitted) continue;
    if (id < 0 || static_cast<size_t>(id) >= graph.values.size())
      return invalid_argument_error("a graph refers to a value it does not have");
  }
  return ok_status();
}

void retain(const WeightHandle* weight) noexcept { weight->references.fetch_add(1, std::memory_order_relaxed); }

void release(const WeightHandle* weight) noexcept {
  if (weight->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    g_live_weights.fetch_sub(1, std::memory_order_relaxed);
    delete weight;
  }
}

int32_t attribute_kind(AttributeKind kind) noexcept {
  switch (kind) {
    case AttributeKind::kInt: return AXLE_ATTRIBUTE_INT;
    case AttributeKind::kFloat: return AXLE_ATTRIBUTE_FLOAT;
    case AttributeKind::kText: return AXLE_ATTRIBUTE_TEXT;
    case AttributeKind::kInts: return AXLE_ATTRIBUTE_INTS;
    case AttributeKind::kFloats: return AXLE_ATTRIBUTE_FLOATS;
    case AttributeKind::kTexts: return AXLE_ATTRIBUTE_TEXTS;
    case AttributeKind::kTensor: return AXLE_ATTRIBUTE_TENSOR;
    case AttributeKind::kGraph: return AXLE_ATTRIBUTE_GRAPH;
    case AttributeKind::kOther: break;
  }
  return AXLE_ATTRIBUTE_OTHER;
}

// ---- the table's functions ----

int32_t graph_info(void*, const axle_graph_t* handle, axle_graph_info_t* out) {
  const Graph& graph = GraphView::of(handle).index().graph();
  axle_graph_info_t info{};
  info.format = text_of(graph.format);
  info.path = text_of(graph.path);
  info.digest = text_of(graph.digest);
  info.node_count = static_cast<uint32_t>(graph.nodes.size());
  info.input_count = static_cast<uint32_t>(graph.inputs.size());
  info.output_count = static_cast<uint32_t>(graph.outputs.size());
  info.weight_count = static_cast<uint32_t>(graph.weights.size());
  info.opset_count = static_cast<uint32_t>(graph.opsets.size());
  return fill(out, info);
}

int32_t graph_opset(void*, const axle_graph_t* handle, uint32_t index, axle_text_t* domain, int64_t* version) {
  const Graph& graph = GraphView::of(handle).index().graph();
  if (index >= graph.opsets.size()) return AXLE_OUT_OF_RANGE;
  const auto entry = std::next(graph.opsets.begin(), index);
  *domain = text_of(entry->first);
  *version = entry->second;
  return AXLE_OK;
}

int32_t list_value(const axle_graph_t* handle, const std::vector<ValueId>& ids, uint32_t index, axle_value_info_t* out) {
  if (index >= ids.size()) return AXLE_OUT_OF_RANGE;
  return GraphView::of(handle).index().value(ids[index], out);
}

int32_t graph_input(void*, const axle_graph_t* handle, uint32_t index, axle_value_info_t* out) {
  return list_value(handle, GraphView::of(handle).index().graph().inputs, index, out);
}

int32_t graph_output(void*, const axle_graph_t* handle, uint32_t index, axle_value_info_t* out) {
  return list_value(handle, GraphView::of(handle).index().graph().outputs, index, out);
}

int32_t graph_node(void*, const axle_graph_t* handle, uint32_t index, axle_node_info_t* out) {
  return GraphView::of(handle).index().node(index, out);
}

int32_t graph_node_input(void*, const axle_graph_t* handle, uint32_t node, uint32_t index, axle_value_info_t* out) {
  const Graph& graph = GraphView::of(handle).index().graph();
  return node < graph.nodes.size() ? list_value(handle, graph.nodes[node].inputs, index, out) : AXLE_OUT_OF_RANGE;
}

int32_t graph_node_output(void*, const axle_graph_t* handle, uint32_t node, uint32_t index, axle_value_info_t* out) {
  const Graph& graph = GraphView::of(handle).index().graph();
  return node < graph.nodes.size() ? list_value(handle, graph.nodes[node].outputs, index, out) : AXLE_OUT_OF_RANGE;
}

int32_t graph_node_attribute(void*, const axle_graph_t* handle, uint32_t node, uint32_t index, axle_attribute_t* out) {
  return GraphView::of(handle).index().attribute(node, index, out);
}

int32_t graph_weight(void*, const axle_graph_t* handle, uint32_t index, const axle_weight_t** out) {
  const WeightHandle* weight = GraphView::of(handle).index().weight(index);
  if (weight == nullptr) return AXLE_OUT_OF_RANGE;
  *out = reinterpret_cast<const axle_weight_t*>(weight);
  return AXLE_OK;
}

int32_t graph_onnx_bytes(void*, const axle_graph_t* handle, axle_text_t* bytes, axle_text_t* folder) {
  const auto made = GraphView::of(handle).onnx_bytes();
  if (!made.ok()) {
    AXLE_LOG(kWarning, "engine", "a graph could not be written as ONNX: {}", made.status().to_string());
    return static_cast<int32_t>(made.status().code());
  }
  *bytes = text_of((*made)->bytes);
  *folder = text_of((*made)->folder);
  return AXLE_OK;
}

int32_t weight_info(void*, const axle_weight_t* handle, axle_weight_info_t* out) {
  const auto* held = reinterpret_cast<const WeightHandle*>(handle);
  const Weight& weight = *held->weight;
  axle_weight_info_t info{};
  info.name = text_of(weight.name);
  info.dtype = static_cast<int32_t>(weight.dtype);
  info.rank = static_cast<int32_t>(weight.shape.size());
  info.shape = weight.shape.data();
  const bool strings = weight.dtype == DataType::kString;
  info.data = strings ? static_cast<const void*>(held->texts.data()) : weight.bytes.data();
  info.size_bytes = strings ? held->texts.size() * sizeof(axle_text_t) : weight.bytes.size();
  info.path = text_of(weight.path);
  info.file_offset = weight.file_offset;
  return fill(out, info);
}

void weight_retain(void*, const axle_weight_t* weight) { retain(reinterpret_cast<const WeightHandle*>(weight)); }
void weight_release(void*, const axle_weight_t* weight) { release(reinterpret_cast<const WeightHandle*>(weight)); }

}  // namespace

namespace detail {
int64_t live_weight_handles() noexcept { return g_live_weights.load(std::memory_order_relaxed); }
}  // namespace detail

Result<std::shared_ptr<const GraphIndex>> GraphIndex::create(std::shared_ptr<const Graph> graph) {
  if (graph == nullptr) return invalid_argument_error("no graph was given");
  AXLE_RETURN_IF_ERROR(check_ids(*graph, graph->inputs, false));
  AXLE_RETURN_IF_ERROR(check_ids(*graph, graph->outputs, false));
  for (const Node& node : graph->nodes) {
    AXLE_RETURN_IF_ERROR(check_ids(*graph, node.inputs, true));
    AXLE_RETURN_IF_ERROR(check_ids(*graph, node.outputs, true));
  }
  return std::shared_ptr<const GraphIndex>(new GraphIndex(std::move(graph)));
}

GraphIndex::GraphIndex(std::shared_ptr<const Graph> graph) : graph_(std::move(graph)) {
  for (const Value& value : graph_->values) {
    first_dim_.push_back(static_cast<uint32_t>(dims_.size()));
    for (const Dim& dim : value.shape) dims_.push_back({dim.size, text_of(dim.symbol)});
  }
  for (const Node& node : graph_->nodes) {
    first_attribute_.push_back(static_cast<uint32_t>(first_text_.size()));
    for (const Attribute& attribute : node.attributes) {
      first_text_.push_back(static_cast<uint32_t>(texts_.size()));
      for (const std::string& text : attribute.texts) texts_.push_back(text_of(text));
    }
  }
  for (const auto& weight : graph_->weights) {
    auto* handle = new WeightHandle{weight, {}, {1}};
    for (const std::string& text : weight->texts) handle->texts.push_back(text_of(text));
    weights_.push_back(handle);
    g_live_weights.fetch_add(1, std::memory_order_relaxed);
  }
}

GraphIndex::~GraphIndex() {
  for (const WeightHandle* weight : weights_) release(weight);
}

int32_t GraphIndex::value(ValueId id, axle_value_info_t* out) const noexcept {
  axle_value_info_t info{};
  if (id < 0) {  // an omitted optional input
    info.rank = -1;
    return fill(out, info);
  }
  const Value& value = graph_->values[static_cast<size_t>(id)];
  info.name = text_of(value.name);
  info.dtype = static_cast<int32_t>(value.dtype);
  info.rank = value.rank_known ? static_cast<int32_t>(value.shape.size()) : -1;
  info.dims = dims_.data() + first_dim_[static_cast<size_t>(id)];
  info.is_weight = value.weight >= 0 ? 1 : 0;
  return fill(out, info);
}

int32_t GraphIndex::node(uint32_t index, axle_node_info_t* out) const noexcept {
  if (index >= graph_->nodes.size()) return AXLE_OUT_OF_RANGE;
  const Node& node = graph_->nodes[index];
  axle_node_info_t info{};
  info.name = text_of(node.name);
  info.op_type = text_of(node.op_type);
  info.domain = text_of(node.domain);
  info.opset = node.opset;
  info.input_count = static_cast<uint32_t>(node.inputs.size());
  info.output_count = static_cast<uint32_t>(node.outputs.size());
  info.attribute_count = static_cast<uint32_t>(node.attributes.size());
  info.has_subgraph = node.has_subgraph ? 1 : 0;
  return fill(out, info);
}

int32_t GraphIndex::attribute(uint32_t node, uint32_t index, axle_attribute_t* out) const noexcept {
  if (node >= graph_->nodes.size() || index >= graph_->nodes[node].attributes.size()) return AXLE_OUT_OF_RANGE;
  const Attribute& attribute = graph_->nodes[node].attributes[index];
  const axle_text_t* texts = texts_.data() + first_text_[first_attribute_[node] + index];
  axle_attribute_t info{};
  info.name = text_of(attribute.name);
  info.kind = attribute_kind(attribute.kind);
  info.ints = attribute.ints.empty() ? nullptr : attribute.ints.data();
  info.floats = attribute.floats.empty() ? nullptr : attribute.floats.data();
  info.count = std::max({attribute.ints.size(), attribute.floats.size(), attribute.texts.size()});
  if (!attribute.texts.empty()) info.texts = texts;
  if (attribute.kind == AttributeKind::kText && !attribute.texts.empty()) info.text = texts[0];
  return fill(out, info);
}

const WeightHandle* GraphIndex::weight(uint32_t index) const noexcept {
  return index < weights_.size() ? weights_[index] : nullptr;
}

Result<std::shared_ptr<const Graph::OnnxBytes>> GraphView::onnx_bytes() const {
  const std::lock_guard lock(mutex_);
  if (bytes_ == nullptr) {
    if (!index_->graph().onnx_bytes) return unimplemented_error("this graph cannot be written as ONNX");
    AXLE_ASSIGN_OR_RETURN(bytes_, index_->graph().onnx_bytes());
  }
  return bytes_;
}

void GraphView::drop_bytes() const noexcept {
  const std::lock_guard lock(mutex_);
  bytes_.reset();
}

void fill_graph_accessors(axle_host_api_t& table) noexcept {
  table.graph_info = &graph_info;
  table.graph_opset = &graph_opset;
  table.graph_input = &graph_input;
  table.graph_output = &graph_output;
  table.graph_node = &graph_node;
  table.graph_node_input = &graph_node_input;
  table.graph_node_output = &graph_node_output;
  table.graph_node_attribute = &graph_node_attribute;
  table.graph_weight = &graph_weight;
  table.graph_onnx_bytes = &graph_onnx_bytes;
  table.weight_info = &weight_info;
  table.weight_retain = &weight_retain;
  table.weight_release = &weight_release;
}

}  // namespace axle
