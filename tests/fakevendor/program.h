// What the FAKE vendor's compiler makes and its runtime runs: steps over f32 tensors of fixed shape. See README.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace fakenpu {

struct Array {
  std::vector<int64_t> shape;
  std::vector<float> values;
  int64_t count() const;
};

struct Step {
  std::string op;  // Add Mul Relu MatMul Gemm
  std::vector<std::string> inputs;
  std::string output;
  float alpha = 1, beta = 1;  // Gemm
  int64_t trans_a = 0, trans_b = 0;
};

struct Port {
  std::string name;
  std::vector<int64_t> shape;
};

struct Program {
  std::vector<Port> inputs, outputs;
  std::map<std::string, Array> constants;
  std::vector<Step> steps;
};

// Each throws std::runtime_error with a text that says FAKE.
std::string save(const Program& program);
Program parse(const std::string& bytes);
// Values by name, inputs among them; adds the outputs of every step.
void run(const Program& program, std::map<std::string, Array>& values);

// The word in the file that FAKENPU_FAULT_FILE names: what is to go wrong; "" = nothing.
std::string fault();

// What `tool` returns; 2 when it throws, with the text on stderr.
int or_say_why(const std::function<int()>& tool);

}  // namespace fakenpu
