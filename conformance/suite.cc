#include <algorithm>

#include "subject.h"

namespace axle::conformance {
namespace {

class CheckTest final : public ::testing::Test {
 public:
  CheckTest(Target target, Check check) : target_(std::move(target)), check_(check) {}
  void TestBody() override {
    if (const auto skipped = target_.skip.find(check_.name); skipped != target_.skip.end()) GTEST_SKIP() << skipped->second;
    const auto engine = target_.open();
    if (!engine.ok()) GTEST_SKIP() << engine.status().to_string();
    check_.run(Subject(target_, *engine));
  }

 private:
  Target target_;
  Check check_;
};

}  // namespace

std::map<std::string, std::string> skip_of(const EngineRegistry& registry, const std::string& engine) {
  const auto known = registry.peek(engine);
  if (!known.ok() || known->description_path.empty()) return {};
  return {{"FactsWithoutTheLibrary", "an engine that is a description has no facts before the description is read"}};
}

std::string resource_of(const Target& target, const Engine& engine) {
  if (!target.resource.empty() || engine.resources().empty()) return target.resource;
  for (const EngineResource& resource : engine.resources()) {
    if (resource.resource.id == "cpu:0") return resource.resource.id;
  }
  return engine.resources().front().resource.id;
}

Capability Subject::capability() const {
  auto capability = engine_->capability(resource_);
  EXPECT_THAT(capability, IsOk());
  return capability.ok() ? *capability : Capability();
}

EngineLoadRequest Subject::request(const std::shared_ptr<const Graph>& graph) const {
  EngineLoadRequest request;
  request.graph = axle::testing::index_of(graph);
  request.resource = resource_;
  if (auto options = resolve_options(capability(), "default", {}); options.ok()) request.options = *std::move(options);
  return request;
}

Result<std::shared_ptr<const Executable>> Subject::load(const std::shared_ptr<const Graph>& graph) const {
  return engine_->load(request(graph));
}

std::shared_ptr<const Graph> dynamic_graph(int64_t rows) {
  if (rows < 0) return with_onnx_bytes(axle::testing::small_graph());
  const SymbolicShape shape{{rows, ""}, {4, ""}};
  return with_onnx_bytes(GraphBuilder()
                             .input("x", shape)
                             .weight("w", {4}, {1, -2, 3, -4})
                             .node("Add", {"x", "w"}, "v", shape)
                             .node("Relu", {"v"}, "y", shape)
                             .output("y")
                             .build());
}

Dim rows_axis(int64_t rows) { return rows < 0 ? Dim{-1, "n"} : Dim{rows, ""}; }

std::shared_ptr<const Graph> static_graph() {
  const SymbolicShape shape{{2, ""}, {3, ""}};
  return with_onnx_bytes(GraphBuilder().input("x", shape).node("Add", {"x", "x"}, "y", shape).output("y").build());
}

std::shared_ptr<const Graph> scalar_graph() {
  return with_onnx_bytes(GraphBuilder().input("x", {}).node("Add", {"x", "x"}, "y", SymbolicShape{}).output("y").build());
}

std::shared_ptr<const Graph> two_output_graph(int64_t rows) {
  const SymbolicShape shape{rows_axis(rows), {4, ""}};
  return with_onnx_bytes(GraphBuilder()
                             .input("x", shape)
                             .weight("w", {4}, {1, -2, 3, -4})
                             .node("Add", {"x", "w"}, "a", shape)
                             .node("Relu", {"x"}, "b", shape)
                             .output("a")
                             .output("b")
                             .build());
}

std::shared_ptr<const Graph> long_graph(int length, int64_t rows) {
  const SymbolicShape shape{rows_axis(rows), {1024, ""}};
  GraphBuilder builder;
  builder.input("x", shape);
  std::string last = "x";
  for (int i = 0; i < length; ++i) {
    const std::string next = i + 1 == length ? "y" : "v" + std::to_string(i);
    // Not associative in floating point: no optimiser folds the chain.
    builder.node(i % 2 == 0 ? "Add" : "Mul", {last, "x"}, next, shape);
    last = next;
  }
  return with_onnx_bytes(builder.output("y").build());
}

std::vector<float> expected_dynamic(const std::vector<float>& x) {
  const float w[] = {1, -2, 3, -4};
  std::vector<float> y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back(std::max(0.0f, x[i] + w[i % 4]));
  return y;
}

std::vector<float> ramp(size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i % 17) * 0.25f - 2.0f);
  return values;
}

void register_conformance(const Target& target) {
  for (const auto& checks : {answer_checks(), run_checks(), lifetime_checks()}) {
    for (const Check& check : checks) {
      ::testing::RegisterTest(target.name.c_str(), check.name, nullptr, nullptr, __FILE__, __LINE__,
                              [target, check]() -> ::testing::Test* { return new CheckTest(target, check); });
    }
  }
}

}  // namespace axle::conformance
