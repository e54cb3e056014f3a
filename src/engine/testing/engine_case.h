// What the tests of the engines that this build makes share: the plugin through the host's own classes, models written as text,
// tensors, and real models with recorded outputs where they are present.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "axle/model.h"
#include "axle/tensor.h"
#include "base/testing/status_matchers.h"
#include "engine/engine.h"
#include "trace/sink.h"

namespace axle::testing {

// A folder that disappears with the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// A registry that sees only this engine's plugin of this build; `library` explicit or "" = search.
Result<std::shared_ptr<EngineRegistry>> registry_of(const std::string& engine, const std::string& library = "");

// The graph of a model in ONNX's text form; fails the test and returns null when it is none.
std::shared_ptr<const GraphIndex> graph_of_text(const std::string& text);
Result<std::shared_ptr<const GraphIndex>> graph_from_file(const std::string& path);

inline constexpr const char* kMlp = R"(<ir_version: 8, opset_import: ["": 17]>
  mlp (float[n, 4] x) => (float[n, 2] y)
  <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {0.5, -0.5}>
  { h = MatMul(x, w)  y = Add(h, b) })";

inline constexpr const char* kNonZero = R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[n] x) => (int64[1, m] y) { y = NonZero(x) })";

class EngineCase : public ::testing::Test {
 protected:
  explicit EngineCase(std::string engine, std::string resource = "cpu:0")
      : name_(std::move(engine)), resource_(std::move(resource)) {}
  // Skips, with the reason, where the vendor's library is not installed.
  void SetUp() override;

  EngineLoadRequest request(std::shared_ptr<const GraphIndex> graph, std::map<std::string, std::string> overrides = {}) const;
  // Loads, or fails the test and returns null.
  std::shared_ptr<const Executable> load(const EngineLoadRequest& request) const;
  // Four callers, each with a context and tensors of its own, `repeats` runs of kMlp each.
  void expect_contexts_at_once(int repeats) const;
  // A run under way, which would take seconds, ends soon after its cancellation. Inputs are bound.
  static void expect_cancel_stops(Context& context);
  // Loads what compile made of the request's graph, without the graph.
  std::shared_ptr<const Executable> load_artefact(const EngineLoadRequest& request);

  std::string name_;
  std::string resource_;
  std::shared_ptr<Engine> engine_;
  ScratchFolder scratch_;
};

// Keeps what a run records.
class EventList final : public TraceSink {
 public:
  void record(const TraceEvent& event) noexcept override { all.push_back(event); }
  TraceText intern(std::string_view) override { return 1; }
  std::vector<TraceEvent> all;
};

// Feeds every input by name and returns the outputs by name, engine-allocated and copied out.
Result<std::map<std::string, Tensor>> run_once(const Executable& executable, const std::map<std::string, Tensor>& feeds);

Tensor float_tensor(Shape shape, const std::vector<float>& values);

// A model of the shared folder with the outputs recorded for it. Paths are relative to that folder.
struct RealModel {
  const char* name;
  const char* model;
  const char* inputs;  // npz by input name, or "in:" + name
  const char* expected;  // npz by output name, or "out:" + name
  double tolerance;  // largest absolute error of a float
  const char* precision = "f32";
};
std::ostream& operator<<(std::ostream& out, const RealModel& model);
// Those that every engine which reads ONNX runs within the same tolerance, then an engine's own.
std::vector<RealModel> real_models(std::initializer_list<RealModel> own);

class RealModelCase : public EngineCase, public ::testing::WithParamInterface<RealModel> {
 protected:
  using EngineCase::EngineCase;
  // Skips where the model or the vendor's library is missing.
  void SetUp() override;
  // Integers must be equal.
  void expect_outputs(const Executable& executable) const;
  // Judges, loads and runs the model from the file and from its artefact.
  void expect_recorded_outputs();
};

}  // namespace axle::testing
