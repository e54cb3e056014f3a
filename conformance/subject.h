// What a check is given: the open engine and the steps that most checks repeat.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "conformance.h"
#include "engine/testing/engine_fixture.h"
#include "tiny_mlir.h"
#include "tiny_onnx.h"

namespace axle::conformance {

using axle::testing::FloatTensor;
using axle::testing::GraphBuilder;
using axle::testing::IsOk;
using axle::testing::StatusIs;

class Subject {
 public:
  Subject(const Target& target, std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), resource_(resource_of(target, *engine_)) {}

  Engine& engine() const { return *engine_; }
  const std::string& resource() const { return resource_; }
  Capability capability() const;
  // The size to give the open axis of a graph that will be run with `rows`: open for an engine that takes open axes.
  int64_t rows(int64_t rows) const { return capability().dynamic_shapes == DynamicShapes::kNo ? rows : -1; }
  // f32, or the engine's first where it has no f32.
  std::string precision() const;
  // Of that precision, one thread, default options.
  EngineLoadRequest request(const std::shared_ptr<const Graph>& graph) const;
  Result<std::shared_ptr<const Executable>> load(const std::shared_ptr<const Graph>& graph) const;

 private:
  std::shared_ptr<Engine> engine_;
  std::string resource_;
};

// In the format of the engine that is being checked.
std::shared_ptr<const Graph> as_model(const std::shared_ptr<const Graph>& graph);
void write_models_as(const std::string& format);

// y = relu(x + w), x: [rows, 4]; w = 1, -2, 3, -4. Here and below, rows of -1 are an open axis.
std::shared_ptr<const Graph> dynamic_graph(int64_t rows);
Dim rows_axis(int64_t rows);
// y = x + x, x: [2, 3].
std::shared_ptr<const Graph> static_graph();
// y = x + x, x: scalar.
std::shared_ptr<const Graph> scalar_graph();
// a = x + w, b = relu(x): two outputs.
std::shared_ptr<const Graph> two_output_graph(int64_t rows);
// A chain of `length` additions over [rows, 1024].
std::shared_ptr<const Graph> long_graph(int length, int64_t rows);
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
