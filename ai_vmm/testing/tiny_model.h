// Small ONNX files for tests, written byte by byte: this folder sees no ONNX library.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ai_vmm::testing {

struct TinyNode {
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

struct TinyModel {
  std::vector<std::pair<std::string, std::vector<int64_t>>> inputs;   // f32; -1 = open, under the name n
  std::vector<std::pair<std::string, std::vector<int64_t>>> outputs;
  std::vector<TinyNode> nodes;
};

// y = Relu(x), both [2, 3].
TinyModel relu_model();
std::string onnx_bytes(const TinyModel& model);
// Writes the model as `folder`/`name`.onnx and returns the path.
std::string write_model(const TinyModel& model, const std::string& folder, const std::string& name);

}  // namespace ai_vmm::testing
