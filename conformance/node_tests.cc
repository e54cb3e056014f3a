// The ONNX backend node tests on one engine: <folder>/<test>/model.onnx with io.npz, whose arrays are named "in:NAME" and
// "out:NAME", and "tolerance" = [relative, absolute] where the case has its own (conformance/export_node_tests.py writes them from the
// onnx package).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "axle/model.h"
#include "axle/tensor.h"
#include "base/testing/status_matchers.h"
#include "conformance.h"
#include "model/model_graph.h"
#include "tensor/convert.h"

namespace axle::conformance {
namespace {

using axle::testing::IsOk;

// As onnx/backend/test/runner gives them to numpy.testing.assert_allclose; a case may set its own.
struct Tolerance {
  double relative = 1e-3;
  double absolute = 1e-7;
};

struct Expectation {
  bool may_refuse = false;
  bool exactly = true;  // false: from the line "unsupported *", which says nothing of one test
  std::string wrong;  // reason; the test must fail, so that the list stays honest
};
using Expectations = std::map<std::string, Expectation>;

Expectations read_list(const std::string& path) {
  Expectations list;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string kind, name, reason;
    if (!(words >> kind >> name)) continue;
    std::getline(words >> std::ws, reason);
    if (kind == "unsupported")
      list[name].may_refuse = true;
    else if (kind == "fails")
      list[name].wrong = reason.empty() ? "no reason given" : reason;
    else
      ADD_FAILURE() << path << ": '" << line << "' is neither unsupported nor fails";
  }
  return list;
}

Status unequal(const std::string& name, const std::string& what) { return internal_error("output '" + name + "': " + what); }

Status compare_numbers(const std::string& name, const OutputView& got, const Tensor& wanted, const Tolerance& tolerance) {
  const auto count = static_cast<size_t>(wanted.element_count());
  std::vector<double> a(count), b(count);
  AXLE_RETURN_IF_ERROR(read_as_doubles(got.dtype, {static_cast<const std::byte*>(got.data), got.size_bytes}, 0, a));
  AXLE_RETURN_IF_ERROR(read_as_doubles(wanted, 0, b));
  const bool exact = !is_floating(got.dtype);
  for (size_t i = 0; i < count; ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return unequal(name, "NaN at element " + std::to_string(i));
    if (std::isnan(a[i]) || a[i] == b[i]) continue;
    if (exact || !(std::abs(a[i] - b[i]) <= tolerance.absolute + tolerance.relative * std::abs(b[i]))) {
      return unequal(name, "element " + std::to_string(i) + " is " + std::to_string(a[i]) + ", wanted " + std::to_string(b[i]));
    }
  }
  return ok_status();
}

Status compare(const std::string& name, const OutputView& got, const Tensor& wanted, const Tolerance& tolerance) {
  if (!std::equal(got.shape.begin(), got.shape.end(), wanted.shape().begin(), wanted.shape().end())) {
    return unequal(name, "has shape " + format_shape(got.shape) + ", wanted " + format_shape(wanted.shape()));
  }
  if (got.dtype == DataType::kString) {
    const auto* texts = static_cast<const axle_text_t*>(got.data);
    for (size_t i = 0; i < wanted.strings().size(); ++i) {
      if (std::string_view(texts[i].data, texts[i].size) != wanted.strings()[i]) return unequal(name, "strings differ");
    }
    return ok_status();
  }
  // npz knows no bf16, f8 or 4-bit types: those come as raw bytes.
  if (got.dtype != wanted.dtype()) {
    const auto raw = wanted.bytes();
    const bool same = raw.size() == got.size_bytes && std::memcmp(raw.data(), got.data, raw.size()) == 0;
    return same ? ok_status() : unequal(name, "raw bytes differ");
  }
  return compare_numbers(name, got, wanted, tolerance);
}

enum class Outcome { kRight, kRefused, kWrong };

struct Trial {
  Outcome outcome = Outcome::kRight;
  std::string text;
};

const Tensor* find(const std::vector<NamedTensor>& arrays, const std::string& name) {
  for (const NamedTensor& array : arrays) {
    if (array.name == name) return &array.tensor;
  }
  return nullptr;
}

Status run_case(Engine& engine, const EngineLoadRequest& request, const std::vector<NamedTensor>& arrays, bool& loaded) {
  AXLE_ASSIGN_OR_RETURN(const auto executable, engine.load(request));
  loaded = true;
  AXLE_ASSIGN_OR_RETURN(Context context, executable->make_context());
  const EngineIo& io = executable->io();
  for (size_t i = 0; i < io.inputs.size(); ++i) {
    const Tensor* given = find(arrays, "in:" + io.inputs[i].name);
    if (given == nullptr) return internal_error("io.npz has no input '" + io.inputs[i].name + "'");
    Tensor tensor = *given;
    if (tensor.dtype() != io.inputs[i].dtype) {  // raw bytes of a type npz does not know
      AXLE_ASSIGN_OR_RETURN(tensor,
                            Tensor::borrow_const(io.inputs[i].dtype, tensor.shape(), given->data(), given->size_bytes()));
    }
    AXLE_RETURN_IF_ERROR(context.bind_input(i, tensor));
  }
  AXLE_RETURN_IF_ERROR(context.run());
  Tolerance tolerance;
  if (const Tensor* own = find(arrays, "tolerance");
      own != nullptr && own->dtype() == DataType::kFloat64 && own->element_count() == 2) {
    tolerance = {own->as<double>()[0], own->as<double>()[1]};
  }
  for (size_t i = 0; i < io.outputs.size(); ++i) {
    const Tensor* wanted = find(arrays, "out:" + io.outputs[i].name);
    if (wanted == nullptr) continue;
    AXLE_ASSIGN_OR_RETURN(const OutputView got, context.output(i));
    AXLE_RETURN_IF_ERROR(compare(io.outputs[i].name, got, *wanted, tolerance));
  }
  return ok_status();
}

Result<Trial> attempt(Engine& engine, const std::string& resource, const std::string& folder) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> arrays, load_npz(folder + "/io.npz"));
  AXLE_ASSIGN_OR_RETURN(const Model model, Model::load(folder + "/model.onnx"));
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
  EngineLoadRequest request;
  AXLE_ASSIGN_OR_RETURN(request.graph, GraphIndex::create(graph));
  request.resource = resource;
  AXLE_ASSIGN_OR_RETURN(const Capability capability, engine.capability(resource));
  AXLE_ASSIGN_OR_RETURN(request.options, resolve_options(capability, "default", {}));
  const auto verdict = engine.support(request);
  if (verdict.ok() && verdict->graph.kind == VerdictKind::kNo) return Trial{Outcome::kRefused, verdict->graph.text};
  bool loaded = false;
  const Status status = run_case(engine, request, arrays, loaded);
  if (status.ok()) return Trial{Outcome::kRight, ""};
  // A yes that cannot be loaded is a broken promise.
  const bool promised = verdict.ok() && verdict->graph.kind == VerdictKind::kYes;
  return Trial{loaded || promised ? Outcome::kWrong : Outcome::kRefused, status.to_string()};
}

class NodeTest final : public ::testing::Test {
 public:
  NodeTest(Target target, std::string folder, std::string name, Expectation expected)
      : target_(std::move(target)), folder_(std::move(folder)), name_(std::move(name)), expected_(std::move(expected)) {}
  void TestBody() override {
    const auto engine = target_.open();
    if (!engine.ok()) GTEST_SKIP() << engine.status().to_string();
    const std::string resource = resource_of(target_, **engine);
    const auto trial = attempt(**engine, resource, folder_);
    ASSERT_THAT(trial, IsOk());
    if (const char* list = std::getenv("AXLE_NODE_LIST_OUT")) return record(list, *trial);
    if (!expected_.wrong.empty()) {
      EXPECT_NE(trial->outcome, Outcome::kRight) << name_ << " is right now: take it off the list";
      GTEST_SKIP() << "known: " << expected_.wrong;
    }
    if (trial->outcome == Outcome::kRefused) {
      EXPECT_TRUE(expected_.may_refuse) << "refused: " << trial->text;
      if (expected_.may_refuse) GTEST_SKIP() << "refused: " << trial->text;
      return;
    }
    EXPECT_EQ(trial->outcome, Outcome::kRight) << trial->text;
    EXPECT_FALSE(expected_.may_refuse && expected_.exactly) << name_ << " is supported now: take it off the list";
  }

 private:
  // Appends the line that a list would need: for making a list anew after reading what it says.
  void record(const char* list, const Trial& trial) const {
    std::ofstream file(list, std::ios::app);
    if (trial.outcome == Outcome::kRefused) file << "unsupported " << name_ << "  # " << trial.text.substr(0, 120) << '\n';
    if (trial.outcome == Outcome::kWrong) file << "fails " << name_ << ' ' << trial.text.substr(0, 120) << '\n';
  }

  Target target_;
  std::string folder_, name_;
  Expectation expected_;
};

class NoNodeTests final : public ::testing::Test {
 public:
  explicit NoNodeTests(std::string why) : why_(std::move(why)) {}
  void TestBody() override { GTEST_SKIP() << why_; }

 private:
  std::string why_;
};

}  // namespace

void register_node_tests(const Target& target, const std::string& folder, const std::string& list_folder) {
  const std::string suite = target.name + "_nodes";
  std::error_code error;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (std::filesystem::exists(entry.path() / "io.npz")) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) {
    ::testing::RegisterTest(suite.c_str(), "None", nullptr, nullptr, __FILE__, __LINE__,
                            [folder]() -> ::testing::Test* { return new NoNodeTests("no node tests in " + folder); });
    return;
  }
  const Expectations expectations = read_list(list_folder + "/" + target.name + ".txt");
  const auto every = expectations.find("*");
  for (const std::string& name : names) {
    const auto found = expectations.find(name);
    Expectation expected;
    if (found != expectations.end()) {
      expected = found->second;
    } else if (every != expectations.end()) {
      expected = every->second;
      expected.exactly = false;
    }
    ::testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                            [target, path = folder + "/" + name, name, expected]() -> ::testing::Test* {
                              return new NodeTest(target, path, name, expected);
                            });
  }
}

}  // namespace axle::conformance
