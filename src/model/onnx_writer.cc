#include "model/onnx_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <mutex>

#include "base/text.h"
#include "model/onnx_convert.h"
#include "model/onnx_source.h"

namespace axle {
namespace {

// Interior types are written only for operators whose outputs an engine cannot infer.
bool needs_declared_type(const Graph& graph, const Value& value) {
  return value.producer >= 0 && !graph.nodes[value.producer].domain.empty() && value.dtype != DataType::kUndefined;
}

Status fill_info(const Graph& graph, const Value& value, onnx::ValueInfoProto& info) {
  info.set_name(value.name);
  if (!value.is_tensor) {
    if (const auto found = graph.source->other_types.find(value.name); found != graph.source->other_types.end()) {
      *info.mutable_type() = found->second;
      return ok_status();
    }
  }
  if (value.dtype == DataType::kUndefined) {
    return failed_precondition_error(fmt::format("the type of value '{}' is not known", printable(value.name, 80)))
        .with_hint("an operator before it has no type inference; keep them in one partition");
  }
  fill_type(value, *info.mutable_type());
  return ok_status();
}

void fill_external(const Weight& weight, const std::string& location, onnx::TensorProto& tensor) {
  const auto add = [&](const char* key, const std::string& text) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(text);
  };
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  add("location", location);
  add("offset", std::to_string(weight.file_offset));
  add("length", std::to_string(weight.bytes.size()));
}

// Of its file, as external data names it; "" = inline.
std::string location_of(const OnnxSource& source, const Weight& weight) {
  if (weight.path.empty()) return "";
  if (weight.path == source.model_file) return std::filesystem::path(source.model_file).filename().string();
  const auto found = source.locations.find(weight.path);
  return found == source.locations.end() ? "" : found->second;
}

// That the graph's external data is relative to; "" = it has none.
std::string folder_of(const Graph& graph) {
  const OnnxSource& source = *graph.source;
  if (!source.locations.empty()) return source.folder;
  const bool shares = !source.model_file.empty() &&
                      std::ranges::any_of(graph.weights, [&](const auto& weight) { return weight->path == source.model_file; });
  return shares ? std::filesystem::path(source.model_file).parent_path().string() : "";
}

void fill_tensor(const Graph& graph, const Weight& weight, onnx::TensorProto& tensor) {
  tensor.set_name(weight.name);
  tensor.set_data_type(static_cast<int32_t>(weight.dtype));
  for (const int64_t size : weight.shape) tensor.add_dims(size);
  const std::string location = location_of(*graph.source, weight);
  if (weight.dtype == DataType::kString) {
    for (const std::string& text : weight.texts) tensor.add_string_data(text);
  } else if (!location.empty()) {
    fill_external(weight, location, tensor);
  } else {
    tensor.set_raw_data(weight.bytes.data(), weight.bytes.size());
  }
}

Status check_inline_size(const Graph& graph) {
  constexpr uint64_t kLimit = std::numeric_limits<int>::max();
  uint64_t total = 0;
  for (const auto& weight : graph.weights) total += weight->path.empty() ? weight->bytes.size() : 0;
  if (total < kLimit) return ok_status();
  return resource_exhausted_error(fmt::format("graph '{}' holds {} bytes of inline weights; ONNX files end at 2 GiB",
                                              printable(graph.name, 80), total))
      .with_hint("keep the weights as external data");
}

Result<Graph::OnnxBytes> write_checked(const Graph& graph) {
  if (graph.source == nullptr) {
    return failed_precondition_error(fmt::format("a model of format {} cannot be written as ONNX", graph.format))
        .with_hint("give the file itself to an engine that reads it");
  }
  AXLE_RETURN_IF_ERROR(check_inline_size(graph));
  onnx::ModelProto model = graph.source->header;
  auto& out = *model.mutable_graph();
  out.set_name(graph.name.empty() ? "graph" : graph.name);
  for (const auto& node : graph.source->nodes) *out.add_node() = node;
  for (const auto& weight : graph.weights) fill_tensor(graph, *weight, *out.add_initializer());
  for (const ValueId id : graph.inputs) AXLE_RETURN_IF_ERROR(fill_info(graph, graph.values[id], *out.add_input()));
  for (const ValueId id : graph.outputs) {
    onnx::ValueInfoProto& info = *out.add_output();
    // An output may go without a type: engines infer it.
    if (!fill_info(graph, graph.values[id], info).ok()) info.clear_type();
  }
  for (const Value& value : graph.values) {
    if (needs_declared_type(graph, value)) AXLE_RETURN_IF_ERROR(fill_info(graph, value, *out.add_value_info()));
  }
  Graph::OnnxBytes result;
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max()) || !model.SerializeToString(&result.bytes)) {
    return resource_exhausted_error(fmt::format("graph '{}' is over ONNX's limit of 2 GiB", printable(graph.name, 80)))
        .with_hint("keep the weights as external data");
  }
  result.folder = folder_of(graph);
  return result;
}

struct BytesCache {
  std::mutex mutex;
  std::weak_ptr<const Graph::OnnxBytes> bytes;
};

}  // namespace

Result<Graph::OnnxBytes> write_onnx(const Graph& graph) {
  try {
    return write_checked(graph);
  } catch (const std::bad_alloc&) {
    return resource_exhausted_error("out of memory while writing a graph");
  } catch (const std::exception& error) {
    return internal_error(fmt::format("writing a graph failed: {}", error.what()));
  }
}

std::shared_ptr<const Graph> seal_graph(Graph graph) {
  auto sealed = std::make_shared<Graph>(std::move(graph));
  sealed->onnx_bytes = nullptr;
  if (sealed->source == nullptr) return sealed;
  // Not an owning pointer: the closure lives inside the graph.
  sealed->onnx_bytes = [graph = static_cast<const Graph*>(sealed.get()),
                        cache = std::make_shared<BytesCache>()]() -> Result<std::shared_ptr<const Graph::OnnxBytes>> {
    const std::lock_guard lock(cache->mutex);
    if (auto bytes = cache->bytes.lock()) return bytes;
    AXLE_ASSIGN_OR_RETURN(Graph::OnnxBytes written, write_onnx(*graph));
    auto bytes = std::make_shared<const Graph::OnnxBytes>(std::move(written));
    cache->bytes = bytes;
    return bytes;
  };
  return sealed;
}

}  // namespace axle
