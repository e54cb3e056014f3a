#include "model/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/hash.h"
#include "base/text.h"
#include "model/analysis.h"
#include "model/onnx_convert.h"
#include "model/onnx_graph.h"
#include "model/onnx_source.h"
#include "model/onnx_validate.h"
#include "model/onnx_writer.h"
#include "onnx/defs/parser.h"
#include "onnx/defs/printer.h"

namespace axle {
namespace {

constexpr size_t kMaxTextBytes = 16u << 20;
constexpr int kMaxTextDepth = 64;
constexpr uint64_t kMaxFillBytes = 8ull << 30;  // zero pages: not memory until somebody writes
constexpr const char* kFillKey = "fill";
constexpr const char* kDefaultHeader = "<ir_version: 10, opset_import: [\"\" : 21]>\n";

bool is_zero(const Weight& weight) {
  return std::all_of(weight.bytes.begin(), weight.bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// The typed element lists print every dtype; raw data does not.
template <typename Element, typename Add>
void add_elements(std::span<const std::byte> bytes, const Add& add) {
  for (size_t i = 0; i + sizeof(Element) <= bytes.size(); i += sizeof(Element)) {
    Element element;
    std::memcpy(&element, bytes.data() + i, sizeof(Element));
    add(element);
  }
}

void fill_elements(const Weight& weight, onnx::TensorProto& tensor) {
  const auto add_int32 = [&](auto element) { tensor.add_int32_data(static_cast<int32_t>(element)); };
  switch (weight.dtype) {
    case DataType::kFloat32:
    case DataType::kComplex64: return add_elements<float>(weight.bytes, [&](float v) { tensor.add_float_data(v); });
    case DataType::kFloat64:
    case DataType::kComplex128: return add_elements<double>(weight.bytes, [&](double v) { tensor.add_double_data(v); });
    case DataType::kInt64: return add_elements<int64_t>(weight.bytes, [&](int64_t v) { tensor.add_int64_data(v); });
    case DataType::kUint64: return add_elements<uint64_t>(weight.bytes, [&](uint64_t v) { tensor.add_uint64_data(v); });
    case DataType::kUint32: return add_elements<uint32_t>(weight.bytes, [&](uint32_t v) { tensor.add_uint64_data(v); });
    case DataType::kInt32: return add_elements<int32_t>(weight.bytes, add_int32);
    case DataType::kInt16: return add_elements<int16_t>(weight.bytes, add_int32);
    case DataType::kInt8: return add_elements<int8_t>(weight.bytes, add_int32);
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBfloat16: return add_elements<uint16_t>(weight.bytes, add_int32);
    case DataType::kString:
      for (const std::string& text : weight.texts) tensor.add_string_data(text);
      return;
    default: return add_elements<uint8_t>(weight.bytes, add_int32);
  }
}

onnx::TensorProto text_tensor(const Weight& weight, const TextOptions& options) {
  onnx::TensorProto tensor;
  tensor.set_name(weight.name);
  tensor.set_data_type(static_cast<int32_t>(weight.dtype));
  for (const int64_t size : weight.shape) tensor.add_dims(size);
  const auto elements = element_count(weight.shape).value_or(0);
  // A scalar has no brackets for dims, which the parser could not tell from a list.
  if (static_cast<uint64_t>(elements) <= options.max_weight_elements || weight.dtype == DataType::kString) {
    fill_elements(weight, tensor);
    return tensor;
  }
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  auto& entry = *tensor.add_external_data();
  entry.set_key(is_zero(weight) ? kFillKey : "sha256");
  entry.set_value(is_zero(weight) ? "zero" : sha256_of(weight.bytes).hex().substr(0, 16));
  return tensor;
}

Result<std::string> format_checked(const Graph& graph, const TextOptions& options) {
  onnx::ModelProto model;
  model.set_ir_version(graph.ir_version);
  *model.mutable_opset_import() = graph.source->header.opset_import();
  *model.mutable_functions() = graph.source->header.functions();
  onnx::GraphProto& out = *model.mutable_graph();
  out.set_name(graph.name.empty() ? "graph" : graph.name);
  const auto add_info = [&](ValueId id, onnx::ValueInfoProto& info) {
    const Value& value = graph.values[id];
    info.set_name(value.name);
    if (const auto other = graph.source->other_types.find(value.name); other != graph.source->other_types.end()) {
      *info.mutable_type() = other->second;
    } else {
      fill_type(value, *info.mutable_type());
    }
  };
  for (const ValueId id : graph.inputs) add_info(id, *out.add_input());
  for (const ValueId id : graph.outputs) add_info(id, *out.add_output());
  for (const auto& weight : graph.weights) *out.add_initializer() = text_tensor(*weight, options);
  for (const auto& node : graph.source->nodes) *out.add_node() = node;
  return onnx::ProtoToString(model) + "\n";
}

Status check_text(std::string_view text) {
  if (text.size() > kMaxTextBytes)
    return resource_exhausted_error(fmt::format("the graph's text has more than {} bytes", kMaxTextBytes));
  int depth = 0;
  bool quoted = false, escaped = false;
  for (const char c : text) {
    if (quoted) {
      quoted = c != '"' || escaped;
      escaped = c == '\\' && !escaped;
      continue;
    }
    quoted = c == '"';
    if (c == '{' || c == '(' || c == '[') ++depth;
    if (c == '}' || c == ')' || c == ']') --depth;
    if (depth > kMaxTextDepth)
      return resource_exhausted_error(fmt::format("the graph's text is nested deeper than {} levels", kMaxTextDepth));
  }
  return ok_status();
}

Result<std::shared_ptr<const Weight>> filled_weight(const onnx::TensorProto& tensor) {
  auto weight = std::make_shared<Weight>();
  weight->name = tensor.name();
  weight->dtype = static_cast<DataType>(tensor.data_type());
  weight->shape.assign(tensor.dims().begin(), tensor.dims().end());
  AXLE_ASSIGN_OR_RETURN(const size_t size, dense_size_bytes(weight->dtype, weight->shape));
  if (size > kMaxFillBytes)
    return resource_exhausted_error(fmt::format("weight '{}' has more than {} bytes", weight->name, kMaxFillBytes));
  std::shared_ptr<void> zeros(std::calloc(std::max<size_t>(size, 1), 1), std::free);
  if (zeros == nullptr) return resource_exhausted_error(fmt::format("no memory for weight '{}'", weight->name));
  weight->bytes = {static_cast<const std::byte*>(zeros.get()), size};
  weight->owner = std::move(zeros);
  return std::shared_ptr<const Weight>(std::move(weight));
}

// Weights written without content, by name; they lose their external data so that nothing is looked up in files.
Result<KnownWeights> take_filled(onnx::ModelProto& model) {
  KnownWeights weights;
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.external_data_size() != 1) continue;
    const std::string& key = tensor.external_data(0).key();
    if (key != kFillKey && key != "sha256") continue;
    if (tensor.data_type() <= 0 || tensor.data_type() >= kDataTypeCount)
      return invalid_argument_error(fmt::format("weight '{}' has no known type", tensor.name()));
    AXLE_ASSIGN_OR_RETURN(weights[tensor.name()], filled_weight(tensor));
  }
  return weights;
}

Result<std::shared_ptr<const Graph>> parse_checked(const std::string& text) {
  const std::string_view trimmed = trim(text);
  const std::string whole = trimmed.starts_with('<') ? text : kDefaultHeader + text;
  onnx::ModelProto model;
  onnx::OnnxParser parser(whole.c_str());
  if (const auto status = parser.Parse(model); !status.IsOK()) {
    return invalid_argument_error(fmt::format("the graph's text cannot be parsed: {}", printable(status.ErrorMessage(), 400)))
        .with_hint("the syntax is onnx's: docs/formats/model-text.md");
  }
  if (!parser.EndOfInput())
    return invalid_argument_error("the graph's text goes on after the model").with_hint("remove what follows the last '}'");
  AXLE_RETURN_IF_ERROR(check_versions(model));
  AXLE_ASSIGN_OR_RETURN(const KnownWeights weights, take_filled(model));
  const ModelOptions options;
  ExternalData external("", options);
  const ModelBytes no_bytes;
  const TensorContext context{no_bytes, external, options.limits};
  AXLE_RETURN_IF_ERROR(check_structure(model, LiftedModel{}, context));
  AXLE_RETURN_IF_ERROR(inline_functions(model, options.limits));
  AXLE_ASSIGN_OR_RETURN(Graph graph, build_graph(std::move(model), nullptr, context, weights));
  graph.digest = sha256_of(text).to_string();
  analyse_graph(graph);
  return seal_graph(std::move(graph));
}

}  // namespace

Result<std::string> format_graph(const Graph& graph, const TextOptions& options) {
  if (graph.source == nullptr)
    return failed_precondition_error(fmt::format("a model of format {} has no text form", graph.format));
  try {
    return format_checked(graph, options);
  } catch (const std::exception& error) {
    return internal_error(fmt::format("formatting a graph failed: {}", error.what()));
  }
}

Result<std::shared_ptr<const Graph>> parse_graph_text(std::string_view text) {
  AXLE_RETURN_IF_ERROR(check_text(text));
  try {
    return parse_checked(std::string(text));
  } catch (const std::bad_alloc&) {
    return resource_exhausted_error("out of memory while parsing a graph's text");
  } catch (const std::exception& error) {
    return invalid_argument_error(fmt::format("the graph's text cannot be parsed: {}", printable(error.what(), 400)));
  }
}

}  // namespace axle
