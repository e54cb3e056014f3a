// ComputeBackend: hardware of your own, as a class to derive from. Registered with VMM::register_backend it becomes an engine
// of axle: it is asked, measured, chosen or turned down with a reason, like every other, and runs only what it was chosen for.
// An instance lives as long as the process. Its members may be called from several threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ai_vmm/model.hpp"
#include "ai_vmm/types.hpp"

namespace ai_vmm {

// One operation of the graph, in the words of ONNX.
struct GraphNode {
  // A single number is a vector of one. Tensors and subgraphs are in ModelGraph::onnx() only: monostate.
  using Attribute =
      std::variant<std::monostate, std::vector<int64_t>, std::vector<float>, std::string, std::vector<std::string>>;
  std::string name;     // unique and not empty
  std::string op_type;  // "Conv"
  std::string domain;   // "" = ai.onnx
  int64_t opset = 0;
  std::vector<std::string> inputs;   // "" = an optional input that is left out
  std::vector<std::string> outputs;
  std::map<std::string, Attribute> attributes;
  bool has_subgraph = false;         // If, Loop, Scan
};

// What compile is given: the model as a graph. Valid during the call; weights and everything that was copied out of it stay.
struct ModelGraph {
  std::string digest;  // of the model, "sha256:..."
  std::string format;  // "onnx", "openvino-ir", ...
  std::string path;    // the model's file; "" when there is none
  ModelCategory category = ModelCategory::OTHER;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<GraphNode> nodes;           // in an order in which they can run; empty for formats other than onnx
  std::map<std::string, Tensor> weights;  // read-only
  // The model as ONNX bytes (a ModelProto). Throws CompilationError for a format that has none.
  std::function<std::string_view()> onnx;
};

class AXLE_API ComputeBackend {
 public:
  virtual ~ComputeBackend();

  // Opens the device. false: it is not there, and the backend is absent with that reason. Called once.
  virtual bool initialize() = 0;
  // What execute is to be given: Model(your own data). Throwing or returning null turns the model down.
  virtual std::shared_ptr<Model> compile(const ModelGraph& graph) = 0;
  // Runs a model of one input and one output. `input` is valid until the future is ready; the result is the backend's.
  virtual std::future<Tensor> execute(Model model, const Tensor& input) = 0;
  // Constant after initialize.
  virtual HardwareCapabilities get_capabilities() = 0;
  // 0 or less: models of this category are turned down. How much more than 0 decides nothing: measurements do.
  virtual double get_performance_score(ModelCategory category) = 0;

  // Optional. Runs models of any number of inputs and outputs; set HardwareCapabilities::multiple_tensors with it.
  virtual std::future<TensorMap> execute_all(Model model, const TensorMap& inputs);
  // Optional. "" when it can run the node, else why not; shown for every node that is refused.
  virtual std::string refusal(const GraphNode& node);
};

}  // namespace ai_vmm
