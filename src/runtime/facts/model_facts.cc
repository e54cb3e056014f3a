#include "runtime/facts/model_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/hash.h"
#include "base/json.h"
#include "model/graph.h"
#include "model/model_graph.h"
#include "runtime/facts/graph_facts.h"
#include "tensor/numpy_name.h"

namespace axle {
namespace {

constexpr std::array kQuantisedOps = {"QuantizeLinear", "DequantizeLinear", "QLinearConv",          "QLinearMatMul",
                                      "MatMulInteger",  "ConvInteger",      "DynamicQuantizeLinear"};

const NamedTensor* find_tensor(std::span<const NamedTensor> tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

// Types of 8 bits and less only store numbers: they are cast or dequantised before anything is computed.
bool is_arithmetic(DataType dtype) {
  return dtype == DataType::kFloat16 || dtype == DataType::kBfloat16 || dtype == DataType::kFloat32 ||
         dtype == DataType::kFloat64;
}

// The floating type that most weight bytes have, else that of the first floating value.
std::string float_dtype_of(const Graph& graph, const std::vector<IoSpec>& inputs) {
  std::map<DataType, size_t> bytes;
  for (const auto& weight : graph.weights) {
    if (is_arithmetic(weight->dtype)) bytes[weight->dtype] += weight->bytes.size();
  }
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  // fp16 weights that are cast to f32 before use: arithmetic follows the values, not the storage.
  std::map<DataType, size_t> values;
  for (const Value& value : graph.values) {
    if (value.weight < 0 && is_arithmetic(value.dtype)) ++values[value.dtype];
  }
  const auto commonest =
      std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (commonest != values.end()) return std::string(data_type_name(commonest->first));
  if (most != bytes.end()) return std::string(data_type_name(most->first));
  for (const IoSpec& spec : inputs) {
    if (is_arithmetic(spec.dtype)) return std::string(data_type_name(spec.dtype));
  }
  return "";
}

bool is_quantised(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return std::find(kQuantisedOps.begin(), kQuantisedOps.end(), node.op_type) != kQuantisedOps.end();
  });
}

Result<std::shared_ptr<const Graph>> graph_at(const Model& model, std::span<const NamedTensor> samples) {
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& sample : samples) shapes[sample.name] = sample.tensor.shape();
  if (shapes.empty() || model.format() != ModelFormat::kOnnx) return graph_of(model);
  return infer_shapes_for(model, shapes);
}

}  // namespace

Status check_feed(const IoSpec& spec, const Tensor& tensor) {
  const auto describe = [&] {
    return fmt::format("input '{}' is {}{}, the model wants {}{}", spec.name, data_type_name(tensor.dtype()),
                       format_shape(std::span<const int64_t>(tensor.shape())), data_type_name(spec.dtype),
                       format_shape(spec.shape));
  };
  if (spec.dtype != DataType::kUndefined && tensor.dtype() != spec.dtype) {
    return invalid_argument_error(describe())
        .with_hint(fmt::format("cast it first: array.astype(\"{}\")", numpy_type_name(spec.dtype)));
  }
  if (!spec.rank_known) return ok_status();
  if (tensor.shape().size() != spec.shape.size())
    return invalid_argument_error(describe())
        .with_hint(
            fmt::format("the number of axes differs: it has {}, {} are wanted", tensor.shape().size(), spec.shape.size()));
  for (size_t axis = 0; axis < spec.shape.size(); ++axis) {
    if (spec.shape[axis].is_static() && spec.shape[axis].size != tensor.shape()[axis]) {
      return invalid_argument_error(describe()).with_hint(fmt::format("axis {} must be {}", axis, spec.shape[axis].size));
    }
  }
  return ok_status();
}

Status check_feeds(const std::vector<IoSpec>& inputs, std::span<const NamedTensor> feeds) {
  for (size_t i = 0; i < feeds.size(); ++i) {
    const auto spec = std::find_if(inputs.begin(), inputs.end(), [&](const IoSpec& s) { return s.name == feeds[i].name; });
    if (spec == inputs.end()) {
      std::vector<std::string> names;
      for (const IoSpec& input : inputs) names.push_back(input.name);
      const std::string near = nearest_word(feeds[i].name, names);
      return invalid_argument_error(fmt::format("the model has no input '{}'", feeds[i].name))
          .with_hint(near.empty() ? fmt::format("its inputs are: {}", fmt::join(names, ", "))
                                  : fmt::format("did you mean '{}'?", near));
    }
    for (size_t k = 0; k < i; ++k) {
      if (feeds[k].name == feeds[i].name)
        return invalid_argument_error(fmt::format("input '{}' is given twice", feeds[i].name));
    }
    AXLE_RETURN_IF_ERROR(check_feed(*spec, feeds[i].tensor));
  }
  for (const IoSpec& spec : inputs) {
    if (!spec.optional && find_tensor(feeds, spec.name) == nullptr) {
      return invalid_argument_error(
          fmt::format("input '{}' is missing: {}{}", spec.name, data_type_name(spec.dtype), format_shape(spec.shape)));
    }
  }
  return ok_status();
}

std::string input_shapes_text(const std::vector<IoSpec>& inputs, std::span<const NamedTensor> samples) {
  std::map<std::string, Shape> given;
  for (const NamedTensor& sample : samples) given[sample.name] = sample.tensor.shape();
  return shapes_text(inputs, given);
}

std::map<std::string, int64_t> sample_axes(const std::vector<IoSpec>& inputs, std::span<const NamedTensor> samples) {
  std::map<std::string, int64_t> sizes;
  for (const IoSpec& spec : inputs) {
    const NamedTensor* sample = find_tensor(samples, spec.name);
    for (size_t i = 0; sample != nullptr && i < spec.shape.size() && i < sample->tensor.shape().size(); ++i) {
      const Dim& dim = spec.shape[i];
      if (dim.is_static()) continue;
      sizes.emplace(dim.symbol.empty() ? fmt::format("{}[{}]", spec.name, i) : dim.symbol, sample->tensor.shape()[i]);
    }
  }
  return sizes;
}

std::map<std::string, int64_t> first_prepared_sizes(const Policy& policy) {
  std::map<std::string, int64_t> sizes;
  for (const auto& [axis, list] : policy.shapes) {
    if (!list.empty()) sizes[axis] = list.front();
  }
  return sizes;
}

std::string samples_digest(std::span<const NamedTensor> samples) {
  if (samples.empty()) return "";
  std::vector<const NamedTensor*> sorted;
  for (const NamedTensor& sample : samples) sorted.push_back(&sample);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  Sha256 hash;
  for (const NamedTensor* sample : sorted) {
    const Tensor& tensor = sample->tensor;
    hash.update(fmt::format("{}\n{}:{}{}\n", sample->name.size(), sample->name, data_type_name(tensor.dtype()),
                            format_shape(std::span<const int64_t>(tensor.shape()))));
    hash.update(tensor.bytes());
    for (const std::string& element : tensor.strings()) hash.update(fmt::format("{}:{}", element.size(), element));
  }
  return hash.finish().to_string();
}

std::vector<ModelFileFacts> model_files(const Model& model) {
  std::vector<ModelFileFacts> files;
  if (model.path().empty()) return files;
  for (const ModelFile& file : model.files()) files.push_back({file.role, file.size_bytes, file.sha256});
  return files;
}

Result<ModelFacts> model_facts(const Model& model, std::span<const NamedTensor> samples) {
  AXLE_ASSIGN_OR_RETURN(const ModelSummary summary, model.summary());
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_at(model, samples));
  ModelFacts facts;
  facts.digest = model.digest();
  facts.format = std::string(model.format_name());
  facts.category = summary.category;
  facts.opsets = model.opsets();
  facts.inputs = model.inputs();
  facts.outputs = model.outputs();
  facts.files = model_files(model);
  facts.weight_bytes = summary.weight_bytes;
  facts.dynamic_axes = summary.dynamic_axes;
  facts.cost_exact = !graph->nodes.empty();
  for (const Node& node : graph->nodes) {
    facts.nodes.push_back({node.name, node.op_type, node.domain, node.flops, node.weight_bytes, node.activation_bytes});
    facts.flops += node.flops;
    facts.activation_bytes += node.activation_bytes;
    facts.cost_exact = facts.cost_exact && node.cost_exact;
  }
  AXLE_ASSIGN_OR_RETURN(const auto declared, graph_of(model));
  add_graph_facts(*graph, *declared, facts);
  facts.quantised = is_quantised(*graph);
  facts.float_dtype = float_dtype_of(*graph, model.inputs());
  return facts;
}

}  // namespace axle
