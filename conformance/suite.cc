#include <gtest/gtest-spi.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "subject.h"

namespace axle::conformance {
namespace {

constexpr size_t kMostReasonBytes = 200;

// What failed first, in one line; "" = nothing did.
std::string first_failure(const Check& check, const Subject& subject) {
  ::testing::TestPartResultArray results;
  {
    const ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    check.run(subject);
  }
  for (int i = 0; i < results.size(); ++i) {
    if (!results.GetTestPartResult(i).failed()) continue;
    std::string text = results.GetTestPartResult(i).message();
    if (const size_t actual = text.find("Actual: "); actual != std::string::npos) text.erase(0, actual + 8);
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? "it failed and said nothing" : text.substr(0, kMostReasonBytes);
  }
  return "";
}

class CheckTest final : public ::testing::Test {
 public:
  CheckTest(Target target, Check check) : target_(std::move(target)), check_(check) {}
  void TestBody() override {
    if (const auto skipped = target_.skip.find(check_.name); skipped != target_.skip.end()) GTEST_SKIP() << skipped->second;
    const auto engine = target_.open();
    if (!engine.ok()) GTEST_SKIP() << engine.status().to_string();
    const Subject subject(target_, *engine);
    write_models_as(writable_format(subject.capability().formats));
    if (const char* list = std::getenv("AXLE_CHECK_LIST_OUT")) return record(list, first_failure(check_, subject));
    const auto listed = target_.unsupported.find(check_.name);
    if (listed == target_.unsupported.end()) return check_.run(subject);
    EXPECT_NE(first_failure(check_, subject), "") << check_.name << " holds now: take it off the list of " << target_.name;
    GTEST_SKIP() << "unsupported: " << listed->second;
  }

 private:
  void record(const char* list, const std::string& failure) const {
    if (!failure.empty()) std::ofstream(list, std::ios::app) << "unsupported " << check_.name << ' ' << failure << '\n';
  }

  Target target_;
  Check check_;
};

}  // namespace

std::map<std::string, std::string> unsupported_of(const std::string& engine, const std::string& list_folder) {
  std::map<std::string, std::string> unsupported;
  const std::string path = list_folder + "/" + engine + ".txt";
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind, check, reason;
    if (line.starts_with('#') || !(words >> kind >> check)) continue;
    std::getline(words >> std::ws, reason);
    if (kind == "unsupported" && !reason.empty())
      unsupported[check] = reason;
    else
      ADD_FAILURE() << path << ": '" << line << "' is no \"unsupported CHECK reason\"";
  }
  return unsupported;
}

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
  request.precision = precision();
  if (auto options = resolve_options(capability(), "default", {}); options.ok()) request.options = *std::move(options);
  return request;
}

std::string Subject::precision() const {
  const std::vector<PrecisionSpec> known = capability().precisions;
  const bool plain = known.empty() || std::ranges::any_of(known, [](const PrecisionSpec& spec) { return spec.name == "f32"; });
  return plain ? "f32" : known.front().name;
}

Result<std::shared_ptr<const Executable>> Subject::load(const std::shared_ptr<const Graph>& graph) const {
  return engine_->load(request(graph));
}

namespace {
std::string format_of_models = "onnx";
}

void write_models_as(const std::string& format) { format_of_models = format; }

std::shared_ptr<const Graph> as_model(const std::shared_ptr<const Graph>& graph) {
  return format_of_models == "onnx" ? with_onnx_bytes(graph) : with_mlir_file(graph, format_of_models);
}

std::shared_ptr<const Graph> dynamic_graph(int64_t rows) {
  if (rows < 0) return as_model(axle::testing::small_graph());
  const SymbolicShape shape{{rows, ""}, {4, ""}};
  return as_model(GraphBuilder()
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
  return as_model(GraphBuilder().input("x", shape).node("Add", {"x", "x"}, "y", shape).output("y").build());
}

std::shared_ptr<const Graph> scalar_graph() {
  return as_model(GraphBuilder().input("x", {}).node("Add", {"x", "x"}, "y", SymbolicShape{}).output("y").build());
}

std::shared_ptr<const Graph> two_output_graph(int64_t rows) {
  const SymbolicShape shape{rows_axis(rows), {4, ""}};
  return as_model(GraphBuilder()
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
  return as_model(builder.output("y").build());
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
