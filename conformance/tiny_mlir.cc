#include "tiny_mlir.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "axle/tensor.h"
#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"

namespace axle::conformance {
namespace {

using Sizes = std::vector<int64_t>;

std::string type_of(const Sizes& sizes) {
  std::string text = "tensor<";
  for (const int64_t size : sizes) text += (size < 0 ? "?" : std::to_string(size)) + "x";
  return text + "f32>";
}

Sizes sizes_of(const Value& value) {
  Sizes sizes;
  for (const Dim& dim : value.shape) sizes.push_back(dim.size);
  return sizes;
}

std::vector<float> floats_of(const Weight& weight) {
  std::vector<float> values(weight.bytes.size() / sizeof(float));
  std::memcpy(values.data(), weight.bytes.data(), values.size() * sizeof(float));
  return values;
}

// One function in the making: a value of the graph is a number of the text.
class Module {
 public:
  Module(const Graph& graph, bool tosa) : graph_(graph), tosa_(tosa), numbers_(graph.values.size(), -1) {}

  std::string text() {
    std::string arguments;
    for (const ValueId id : graph_.inputs) {
      const std::string own = fmt::format("%arg{}", arguments_++);
      arguments += (arguments.empty() ? "" : ", ") + own + ": " + type_of(sizes_of(value(id)));
      number(id, fmt::format("\"top.Input\"({}) : ({}) -> {}", own, type(id), type(id)), own);
    }
    for (const Node& node : graph_.nodes) add(node);
    std::string results, types;
    for (const ValueId id : graph_.outputs) {
      results += (results.empty() ? "" : ", ") + name(id);
      types += (types.empty() ? "" : ", ") + type(id);
    }
    const std::string head =
        tosa_ ? "module {\n"
              : "module @model attributes {module.chip = \"ALL\", module.platform = \"ONNX\", module.state = "
                "\"TOP_F32\", module.top_run_mode = \"STATIC\", module.weight_file = \"model_weights.npz\"} {\n";
    return head + fmt::format("  func.func @main({}) -> ({}) {{\n", arguments, types) + lines_ +
           fmt::format("    return {} : {}\n  }}\n}}\n", results, types);
  }

 private:
  const Value& value(ValueId id) const { return graph_.values[static_cast<size_t>(id)]; }
  std::string type(ValueId id) const { return type_of(sizes_of(value(id))); }
  std::string name(ValueId id) const { return names_[static_cast<size_t>(numbers_[static_cast<size_t>(id)])]; }

  // In tosa an argument is a value as it is; top wants an operator for it.
  void number(ValueId id, const std::string& line, const std::string& as_it_is = "") {
    numbers_[static_cast<size_t>(id)] = static_cast<int64_t>(names_.size());
    const bool plain = tosa_ && !as_it_is.empty();
    names_.push_back(plain ? as_it_is : fmt::format("%v{}", names_.size()));
    if (!plain)
      lines_ += fmt::format("    {} = {}{}\n", names_.back(), line, tosa_ ? "" : fmt::format(" loc(\"{}\")", value(id).name));
  }

  void weight(ValueId id, size_t rank) {
    if (numbers_[static_cast<size_t>(id)] >= 0) return;
    AXLE_CHECK(value(id).weight >= 0, "a value that nothing makes is a weight");
    const Weight& made = *graph_.weights[static_cast<size_t>(value(id).weight)];
    Sizes sizes(made.shape.begin(), made.shape.end());
    if (!tosa_) return number(id, fmt::format("\"top.Weight\"() : () -> {}", type_of(sizes)));
    sizes.insert(sizes.begin(), rank - std::min(rank, sizes.size()), 1);  // tosa stretches axes, but adds none
    std::string values;
    for (const float element : floats_of(made)) values += fmt::format("{}{:e}", values.empty() ? "" : ", ", element);
    const std::string open(sizes.size(), '['), close(sizes.size(), ']');
    number(id, fmt::format("\"tosa.const\"() {{values = dense<{}{}{}> : {}}} : () -> {}", open, values, close, type_of(sizes),
                           type_of(sizes)));
    padded_.emplace_back(id, type_of(sizes));
  }

  std::string type_as_written(ValueId id) const {
    const auto found = std::ranges::find(padded_, id, &std::pair<ValueId, std::string>::first);
    return found == padded_.end() ? type(id) : found->second;
  }

  void add(const Node& node) {
    const ValueId out = node.outputs.front();
    std::string operands, types;
    for (const ValueId id : node.inputs) {
      weight(id, value(out).shape.size());
      operands += (operands.empty() ? "" : ", ") + name(id);
      types += (types.empty() ? "" : ", ") + type_as_written(id);
    }
    if (!tosa_) return number(out, fmt::format("\"top.{}\"({}) : ({}) -> {}", node.op_type, operands, types, type(out)));
    std::string attributes;
    if (node.op_type == "Relu") attributes = " {min_val = 0.0 : f32, max_val = 3.4e38 : f32}";
    if (node.op_type == "Mul") {
      lines_ += fmt::format("    %shift{} = \"tosa.const\"() {{values = dense<0> : tensor<1xi8>}} : () -> tensor<1xi8>\n",
                            names_.size());
      operands += fmt::format(", %shift{}", names_.size());
      types += ", tensor<1xi8>";
    }
    const std::string op = node.op_type == "Relu"  ? "clamp"
                           : node.op_type == "Mul" ? "mul"
                           : node.op_type == "Add" ? "add"
                                                   : node.op_type;
    number(out, fmt::format("tosa.{} {}{} : ({}) -> {}", op, operands, attributes, types, type(out)));
  }

  const Graph& graph_;
  bool tosa_;
  std::vector<int64_t> numbers_;  // by value; -1 = not written yet
  std::vector<std::string> names_;
  std::vector<std::pair<ValueId, std::string>> padded_;
  int arguments_ = 0;
  std::string lines_;
};

Status write_weights(const Graph& graph, const std::string& path) {
  std::vector<NamedTensor> tensors;
  for (const auto& weight : graph.weights) {
    AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(DataType::kFloat32, weight->shape));
    std::memcpy(tensor.mutable_data(), weight->bytes.data(), weight->bytes.size());
    tensors.push_back({weight->name, std::move(tensor)});
  }
  return save_npz(path, tensors);
}

struct Written {
  ScratchDir folder;
  Graph graph;
};

Result<std::shared_ptr<const Graph>> write(const Graph& graph, const std::string& format) {
  AXLE_ASSIGN_OR_RETURN(ScratchDir folder, ScratchDir::create("", "conformance"));
  auto written = std::make_shared<Written>(std::move(folder), Graph());
  const std::string text = Module(graph, format == "tosa-mlir").text();
  Graph& made = written->graph;
  made.name = graph.name;
  made.format = format;
  made.path = written->folder.file("model.mlir");
  made.digest = sha256_of(text).to_string();
  for (const auto& [from, to] : {std::pair(&graph.inputs, &made.inputs), std::pair(&graph.outputs, &made.outputs)}) {
    for (const ValueId id : *from) {
      to->push_back(static_cast<ValueId>(made.values.size()));
      made.values.push_back(graph.values[static_cast<size_t>(id)]);
      made.values.back().producer = -1;
    }
  }
  AXLE_RETURN_IF_ERROR(write_file_atomic(made.path, text, kPrivateFileMode));
  AXLE_RETURN_IF_ERROR(write_weights(graph, written->folder.file("model_weights.npz")));
  return std::shared_ptr<const Graph>(written, &written->graph);
}

}  // namespace

std::string writable_format(const std::vector<std::string>& formats) {
  for (const std::string& format : formats) {
    if (format == "onnx" || format == "tosa-mlir" || format == "top-mlir") return format;
  }
  return "onnx";
}

std::shared_ptr<const Graph> with_mlir_file(const std::shared_ptr<const Graph>& graph, const std::string& format) {
  auto written = write(*graph, format);
  AXLE_CHECK(written.ok(), "a small file can be written");
  return *std::move(written);
}

}  // namespace axle::conformance
