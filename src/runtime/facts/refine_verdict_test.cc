#include "runtime/facts/refine_verdict.h"

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "model/testing/model_builder.h"

namespace axle {
namespace {

using testing::ModelBuilder;

// x -> n0 -> n1 -> ... -> y
std::shared_ptr<const Graph> chain(int count) {
  ModelBuilder builder;
  builder.input("x", testing::kF32, {4}).output("y", testing::kF32, {4});
  for (int i = 0; i < count; ++i) {
    const std::string in = i == 0 ? "x" : "v" + std::to_string(i - 1), out = i + 1 == count ? "y" : "v" + std::to_string(i);
    builder.node("Relu", {in}, {out}, "n" + std::to_string(i));
  }
  return graph_of(Model::from_bytes(testing::as_bytes(builder.serialise())).value()).value();
}

const Verdict kNo{VerdictKind::kNo, "UNSUPPORTED_OP", "no such operation", -1};
const Verdict kUnknown{VerdictKind::kUnknown, "OTHER", "not looked at", -1};

// As an engine that stops at the first node it lacks.
GraphVerdict first_only(const Graph& graph, const std::vector<std::string>& lacks) {
  GraphVerdict verdict;
  verdict.graph.kind = verdict.otherwise.kind = VerdictKind::kYes;
  for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
    if (std::find(lacks.begin(), lacks.end(), graph.nodes[n].name) == lacks.end()) continue;
    verdict.graph = kNo;
    verdict.otherwise = kUnknown;
    verdict.nodes = {{n, kNo}};
    break;
  }
  return verdict;
}

std::string kinds(const GraphVerdict& verdict, size_t nodes) {
  std::string text;
  for (uint32_t n = 0; n < nodes; ++n) text += "y-g?"[static_cast<size_t>(verdict.of_node(n).kind)];
  return text;
}

TEST(RefineVerdict, AsksAboutWhatRemainsUntilEveryNodeIsKnown) {
  const auto graph = chain(6);
  const std::vector<std::string> lacks = {"n1", "n2", "n4"};
  int questions = 0;
  const GraphVerdict refined = refine_verdict(*graph, first_only(*graph, lacks), [&](std::shared_ptr<const Graph> part) {
    ++questions;
    return first_only(*part, lacks);
  });
  EXPECT_EQ(kinds(refined, 6), "y--y-y");
  EXPECT_EQ(refined.graph, kNo);
  EXPECT_LE(questions, 6);
}

// Refuses, and does not say why, graphs in which `lacks` says so.
template <typename F>
AskSupport silent(F lacks) {
  return [lacks](std::shared_ptr<const Graph> part) -> Result<GraphVerdict> {
    GraphVerdict answer;
    answer.graph.kind = answer.otherwise.kind = VerdictKind::kYes;
    if (!lacks(*part)) return answer;
    answer.graph = {VerdictKind::kNo, "OTHER", "conversion failed", -1};
    answer.otherwise = kUnknown;
    return answer;
  };
}

bool has_node(const Graph& graph, const std::string& name) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.name == name; });
}

TEST(RefineVerdict, FindsTheNodeBehindARefusalThatNamesNone) {
  const auto graph = chain(16);
  const AskSupport ask = silent([](const Graph& part) { return has_node(part, "n5") || has_node(part, "n14"); });
  EXPECT_EQ(kinds(refine_verdict(*graph, ask(graph).value(), ask), 16), "yyyyy-yyyyyyyy-y");
}

TEST(RefineVerdict, KeepsARefusalThatNoHalfRepeats) {
  const auto graph = chain(8);
  const AskSupport ask = silent([](const Graph& part) { return has_node(part, "n1") && has_node(part, "n2"); });
  const GraphVerdict refined = refine_verdict(*graph, ask(graph).value(), ask);
  EXPECT_EQ(kinds(refined, 8), "----yyyy");
  EXPECT_EQ(refined.of_node(1).text, "conversion failed");
}

TEST(RefineVerdict, LeavesAnswersAloneThatNeedNoQuestion) {
  const auto graph = chain(3);
  const AskSupport never = [](std::shared_ptr<const Graph>) -> Result<GraphVerdict> {
    ADD_FAILURE() << "asked";
    return internal_error("asked");
  };
  GraphVerdict yes;
  yes.graph.kind = yes.otherwise.kind = VerdictKind::kYes;
  EXPECT_EQ(refine_verdict(*graph, yes, never), yes);
  GraphVerdict later;  // until compiled
  later.graph = later.otherwise = kUnknown;
  EXPECT_EQ(refine_verdict(*graph, later, never), later);
  GraphVerdict all;  // refused, and every node with it
  all.graph = all.otherwise = kNo;
  EXPECT_EQ(refine_verdict(*graph, all, never), all);
}

TEST(RefineVerdict, AFailingAnswerLeavesThePartUnknown) {
  const auto graph = chain(3);
  const GraphVerdict refined =
      refine_verdict(*graph, first_only(*graph, {"n1"}), [](std::shared_ptr<const Graph>) { return internal_error("broken"); });
  EXPECT_EQ(kinds(refined, 3), "?-?");
}

TEST(RefineVerdict, StopsAskingAtItsLimit) {
  const auto graph = chain(400);
  std::vector<std::string> lacks;
  for (int i = 1; i < 400; i += 2) lacks.push_back("n" + std::to_string(i));
  int questions = 0;
  refine_verdict(*graph, first_only(*graph, lacks), [&](std::shared_ptr<const Graph> part) {
    ++questions;
    return first_only(*part, lacks);
  });
  EXPECT_LE(questions, kMaxRefiningQuestions);
}

}  // namespace
}  // namespace axle
