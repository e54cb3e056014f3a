// What a check is given: the open engine and the steps that most checks repeat.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "conformance.h"
#include "engine/testing/engine_fixture.h"
#include "tiny_onnx.h"

namespace axle::conformance {

using axle::testing::FloatTensor;
using axle::testing::GraphBuilder;
using axle::testing::IsOk;
using axle::testing::StatusIs;

class Subject {
 public:
  Subject(const Target& target, std::shared_ptr<Engine> engine) : target_(target), engine_(std::move(engine)) {}

  Engine& engine() const { return *engine_; }
  const std::string& resource() const { return target_.resource; }
  Capability capability() const;
  // f32, one thread, default options.
  EngineLoadRequest request(const std::shared_ptr<const Graph>& graph) const;
  Result<std::shared_ptr<const Executable>> load(const std::shared_ptr<const Graph>& graph) const;

 private:
  const Target& target_;
  std::shared_ptr<Engine> engine_;
};

// y = relu(x + w), x: [n, 4]; w = 1, -2, 3, -4.
std::shared_ptr<const Graph> dynamic_graph();
// y = x + x, x: [2, 3].
std::shared_ptr<const Graph> static_graph();
// y = x + x, x: scalar.
std::shared_ptr<const Graph> scalar_graph();
// a = x + w, b = relu(x): two outputs.
std::shared_ptr<const Graph> two_output_graph();
// A chain of `length` additions over [n, 1024].
std::shared_ptr<const Graph> long_graph(int length);
// dynamic_graph's result for x.
std::vector<float> expected_dynamic(const std::vector<float>& x);
std::vector<float> ramp(size_t count);

struct Check {
  const char* name;
  void (*run)(const Subject& subject);
};
// All checks, by file.
std::vector<Check> answer_checks();
std::vector<Check> run_checks();
std::vector<Check> lifetime_checks();

}  // namespace axle::conformance
