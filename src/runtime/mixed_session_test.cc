// Mixed plans from answers to outputs: generated graphs, engines that refuse random nodes, results against an interpreter.
#include <gmock/gmock.h>

#include <random>
#include <set>

#include "axle/session.h"
#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/interpreter.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FakeNode;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;
using testing::Values;

const char* const kEngines[] = {"left", "right"};

// Refuses the nodes of these names.
void refuse(const std::string& engine, std::set<std::string> names, bool tells = true) {
  testing::registered_fake(engine).script().answer_support = [names = std::move(names), tells](const kit::SupportArgs& args) {
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    for (const kit::Node& node : args.graph.nodes()) {
      if (!names.contains(std::string(node.name()))) continue;
      support.graph = {kit::VerdictKind::kNo, "UNSUPPORTED_OP", "no " + std::string(node.op_type()), -1};
      support.nodes.push_back({node.index(), support.graph});
      if (tells) continue;
      // Some engines know only the first node that stood in the way.
      support.otherwise = {kit::VerdictKind::kUnknown, "OTHER", "not looked at", -1};
      break;
    }
    return support;
  };
}

struct GeneratedGraph {
  std::vector<FakeNode> nodes;
  std::vector<std::string> outputs;
  Result<Model> model() const {
    testing::ModelBuilder builder;
    builder.input("x", testing::kF32, {-1, 4}, {"n"}).input("z", testing::kF32, {-1, 4}, {"n"});
    for (const std::string& name : outputs) builder.output(name, testing::kF32, {-1, 4}, {"n"});
    for (const FakeNode& node : nodes) {
      if (node.inputs.size() == 1)
        builder.node(node.op_type, {node.inputs[0]}, {node.outputs[0]}, node.name);
      else
        builder.node(node.op_type, {node.inputs[0], node.inputs[1]}, {node.outputs[0]}, node.name);
    }
    return Model::from_bytes(testing::as_bytes(builder.serialise()));
  }
};

GeneratedGraph generate(std::mt19937& random, size_t count) {
  const std::vector<std::string> two = {"Add", "Sub", "Mul", "Max"}, one = {"Relu", "Neg"};
  GeneratedGraph graph;
  std::vector<std::string> values = {"x", "z"};
  std::set<std::string> unread;
  for (size_t i = 0; i < count; ++i) {
    FakeNode node;
    node.name = "n" + std::to_string(i);
    const auto pick = [&] { return values[values.size() - 1 - random() % std::min<size_t>(values.size(), 5)]; };
    node.op_type = random() % 3 == 0 ? one[random() % one.size()] : two[random() % two.size()];
    node.inputs = {pick()};
    if (std::find(two.begin(), two.end(), node.op_type) != two.end()) node.inputs.push_back(pick());
    node.outputs = {"v" + std::to_string(i)};
    for (const std::string& input : node.inputs) unread.erase(input);
    unread.insert(node.outputs[0]);
    values.push_back(node.outputs[0]);
    graph.nodes.push_back(std::move(node));
  }
  graph.outputs.assign(unread.begin(), unread.end());
  // Some results are read by nodes and by the caller.
  const std::string inner = graph.nodes[random() % count].outputs[0];
  if (!unread.contains(inner)) graph.outputs.push_back(inner);
  return graph;
}

NamedTensor tensor(const std::string& name, const std::vector<float>& values) {
  auto made = Tensor::allocate(DataType::kFloat32, {static_cast<int64_t>(values.size()) / 4, 4});
  std::copy(values.begin(), values.end(), made->mutable_as<float>().begin());
  return {name, std::move(*made)};
}

class MixedSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.use_cache = false;
    for (const char* name : kEngines) {
      testing::registered_fake(name).script().compute = testing::interpreted();
      options.engines.emplace_back(name);
    }
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    options_.runtime = runtime_;
    options_.policy.execution.threads = 1;
  }
  void TearDown() override {
    for (const char* name : kEngines) testing::reset_fake(name);
  }

  void expect_agrees(const GeneratedGraph& graph, const Session& session) {
    const std::vector<float> x = {1, -2, 3, -4, 5, 6, -7, 8}, z = {2, 2, -1, 0.5F, 1, -1, 3, -3};
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{tensor("x", x), tensor("z", z)}}));
    Values values = {{"x", x}, {"z", z}};
    interpret(graph.nodes, values);
    ASSERT_EQ(outputs.size(), graph.outputs.size());
    for (const NamedTensor& output : outputs) {
      const auto got = output.tensor.as<float>();
      EXPECT_EQ(std::vector<float>(got.begin(), got.end()), values.at(output.name)) << output.name;
    }
  }

  std::shared_ptr<Runtime> runtime_;
  SessionOptions options_;
};

// Each node once, each part after what it reads from: so parts are convex.
void expect_sound(const GeneratedGraph& graph, const Plan& plan, const std::set<std::string> refused[2]) {
  std::map<std::string, size_t> part_of, made_in;
  for (size_t p = 0; p < plan.partitions.size(); ++p) {
    const Partition& part = plan.partitions[p];
    const auto& no = refused[part.candidate.engine == kEngines[0] ? 0 : 1];
    for (const std::string& node : part.nodes) {
      EXPECT_TRUE(part_of.emplace(node, p).second) << node << " twice";
      EXPECT_FALSE(no.contains(node)) << node << " on " << part.candidate.engine;
    }
  }
  ASSERT_EQ(part_of.size(), graph.nodes.size());
  for (const FakeNode& node : graph.nodes) made_in[node.outputs[0]] = part_of.at(node.name);
  for (const FakeNode& node : graph.nodes) {
    for (const std::string& input : node.inputs) {
      if (!made_in.contains(input)) continue;
      EXPECT_LE(made_in.at(input), part_of.at(node.name)) << input;
    }
  }
}

TEST_F(MixedSessionTest, GeneratedGraphsWithRandomMasksAgreeWithTheInterpreter) {
  std::mt19937 random(11);
  size_t mixed = 0, parts = 0;
  for (int round = 0; round < 60; ++round) {
    const GeneratedGraph graph = generate(random, 2 + random() % 24);
    std::set<std::string> refused[2];
    for (const FakeNode& node : graph.nodes) {
      if (random() % 3 == 0) refused[random() % 2].insert(node.name);
    }
    if (refused[0].empty() || refused[1].empty()) continue;
    for (size_t e = 0; e < 2; ++e) refuse(kEngines[e], refused[e], round % 2 == 0);
    AXLE_ASSERT_OK_AND_ASSIGN(const Model model, graph.model());
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, options_));
    expect_sound(graph, session.plan(), refused);
    expect_agrees(graph, session);
    ++mixed;
    parts += session.plan().partitions.size();
  }
  EXPECT_GT(mixed, 40u);
  EXPECT_GT(parts, 2 * mixed);
}

GeneratedGraph chain() {
  return {{{"first", "Relu", {"x"}, {"a"}}, {"second", "Add", {"a", "z"}, {"b"}}, {"third", "Neg", {"b"}, {"y"}}}, {"y"}};
}

TEST_F(MixedSessionTest, PartsAreExtractedWithTypesAndSymbolsAtTheCut) {
  refuse("left", {"second"});
  refuse("right", {"first", "third"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, chain().model());
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, options_));
  const Plan& plan = session.plan();
  ASSERT_EQ(plan.partitions.size(), 3u);
  EXPECT_THAT(plan.partitions[1].nodes, ElementsAre("second"));
  EXPECT_THAT(plan.partitions[1].inputs, ElementsAre("z", "a"));
  EXPECT_THAT(plan.partitions[1].outputs, ElementsAre("b"));
  ASSERT_EQ(plan.transfers.size(), 2u);
  EXPECT_EQ(plan.transfers[0].tensor, "a");
  EXPECT_EQ(plan.transfers[0].type, "f32[n,4]");
  EXPECT_FALSE(plan.partitions[0].spin || plan.partitions[1].spin);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto parsed, parse_plan(plan_to_json(plan).value()));
  EXPECT_EQ(parsed, plan);
  expect_agrees(chain(), session);
}

TEST_F(MixedSessionTest, AnEngineThatNamesOneNodeOnlyIsAskedAboutTheRest) {
  refuse("left", {"first", "third"}, false);
  refuse("right", {"second"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, chain().model());
  PlanRequest request;
  request.policy = options_.policy;
  AXLE_ASSERT_OK_AND_ASSIGN(const PlannerInput input, collect_planner_input(*runtime_, model, request));
  for (const VerdictRow& row : input.verdicts) {
    if (row.engine != "left") continue;
    EXPECT_EQ(row.verdict.of_node(0).kind, VerdictKind::kNo);
    EXPECT_EQ(row.verdict.of_node(1).kind, VerdictKind::kYes);
    EXPECT_EQ(row.verdict.of_node(2).kind, VerdictKind::kNo);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, options_));
  expect_agrees(chain(), session);
}

TEST_F(MixedSessionTest, PinsDecideWhichEngineRunsWhat) {
  options_.policy = parse_policy(
                        "[[pin]]\nnodes = \"second\"\nrequire = { engine = \"right\" }\n"
                        "[[pin]]\nnodes = [\"first\", \"third\"]\nrequire = { engine = \"left\" }\n")
                        .value();
  options_.policy.execution.threads = 1;
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, chain().model());
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, options_));
  ASSERT_EQ(session.plan().partitions.size(), 3u);
  EXPECT_EQ(session.plan().partitions[1].candidate.engine, "right");
  expect_agrees(chain(), session);
}

TEST_F(MixedSessionTest, AForcedEngineIsNotHelpedUnlessTheFallbackIsNamed) {
  refuse("left", {"second"});
  options_.policy.engines.allow = {"left"};
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, chain().model());
  EXPECT_THAT(Session::create(model, options_), StatusIs(StatusCode::kFailedPrecondition, "second"));
  options_.policy.fallback.engine = {"right"};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, options_));
  ASSERT_EQ(session.substitutions().size(), 1u);
  EXPECT_EQ(session.substitutions()[0].got, "right");
  EXPECT_THAT(session.substitutions()[0].wanted, HasSubstr("second"));
  ASSERT_EQ(session.plan().partitions.size(), 3u);
  expect_agrees(chain(), session);
}

TEST_F(MixedSessionTest, ManyCallersShareAMixedSession) {
  refuse("left", {"second"});
  refuse("right", {"first"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, chain().model());
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, options_));
  for (int i = 0; i < 3; ++i) expect_agrees(chain(), session);
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  const NamedTensor x = tensor("x", {1, 2, 3, 4}), z = tensor("z", {1, 1, 1, 1});
  ASSERT_THAT(binding.bind_input("x", x.tensor), IsOk());
  ASSERT_THAT(binding.bind_input("z", z.tensor), IsOk());
  ASSERT_THAT(binding.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor y, binding.output(0));
  EXPECT_EQ(y.as<float>()[3], -5);
}

}  // namespace
}  // namespace axle
