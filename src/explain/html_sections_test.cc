// The sections of the page: what they say of a plan of two partitions, and that names from outside stay text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "explain/html.h"
#include "explain/testing/page_case.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kHostile = "\"><script>alert('x')</script>&\x01\xFF\xE2\x80\xAE" + std::string(10'000, 'n');

class Sections : public ::testing::Test {
 protected:
  PageFacts facts(const TraceLog* log = nullptr) const { return page_facts(plan_, &input_, log); }
  Plan plan_ = testing::two_part_plan();
  PlannerInput input_ = testing::two_part_input();
};

size_t count_of(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

// What stands in the block of data for the page's script.
Json data_of(const std::string& html) {
  const size_t from = html.find('>', html.find("<script type=\"application/json\"")) + 1;
  const auto json = parse_json(html.substr(from, html.find("</script>", from) - from));
  EXPECT_TRUE(json.ok()) << json.status().to_string();
  return json.value_or(Json());
}

TEST_F(Sections, GraphHasABoxForEachNodeInTheColourOfItsPlace) {
  const std::string html = html::graph(facts());
  EXPECT_EQ(count_of(html, "<g class=\"n p0\""), 2U);
  EXPECT_EQ(count_of(html, "<g class=\"n p1\""), 2U);
  EXPECT_EQ(count_of(html, "<g class=\"io px\""), 2U);
  EXPECT_THAT(html, HasSubstr("<i class=\"p0\"></i>fast on cpu:0"));
  EXPECT_THAT(html, HasSubstr("<i class=\"p1\"></i>wide on npu:0 <span class=\"badge amber\">simulated</span>"));
  EXPECT_THAT(html, HasSubstr(">Conv</text>"));
}

TEST_F(Sections, GraphWritesWhatCrossesOnTheEdge) {
  const std::string html = html::graph(facts());
  EXPECT_EQ(count_of(html, "class=\"cross\""), 1U);
  EXPECT_THAT(html, HasSubstr(">f32[1,200], 800 B</text>"));
}

TEST_F(Sections, GraphDataSaysWorkAndWhatEachEngineSays) {
  const Json data = data_of(html::graph(facts()));
  const Json& gelu = data["boxes"][3];
  EXPECT_EQ(gelu["n"], "gelu1");
  EXPECT_EQ(gelu["f"], 400);
  EXPECT_EQ(gelu["p"], 1);
  EXPECT_EQ(data["askers"][0], "fast on cpu:0, f32");
  const Json& refused = data["verdicts"][gelu["v"][0].get<size_t>()];
  EXPECT_EQ(refused, Json::array({"no", "UNSUPPORTED_OP", "Gelu is unknown to fast"}));
  EXPECT_EQ(data["verdicts"][gelu["v"][1].get<size_t>()][0], "yes");
  EXPECT_EQ(data["tensors"][gelu["i"][0].get<size_t>()], Json::array({"b", "f32[1,200]", 800}));
  EXPECT_EQ(data["parts"][1], Json::array({"wide@npu:0/f16/t1/default", "p1", true}));
}

TEST_F(Sections, GraphSaysWhenBoxesStandForRuns) {
  input_.model.nodes.assign(5000, testing::node_facts("n", "Relu", 1, 0, 8));
  input_.model.tensors.clear();
  input_.verdicts.clear();
  const std::string html = html::graph(facts());
  EXPECT_LE(count_of(html, "data-i=\""), 2000U);
  EXPECT_THAT(html, HasSubstr("5000 nodes: each box stands for a run of them"));
}

TEST_F(Sections, HostileNamesStayTextAndAreCut) {
  for (NodeFacts& node : input_.model.nodes) node.name = node.op_type = node.domain = kHostile;
  for (TensorFacts& tensor : input_.model.tensors) tensor.name = tensor.type = kHostile;
  input_.verdicts[0].engine = input_.verdicts[0].verdict.nodes[0].verdict.text = kHostile;
  for (Partition& part : plan_.partitions) part.candidate.engine = part.candidate.resource = kHostile;
  plan_.transfers[1].tensor = plan_.transfers[1].from_space = kHostile;
  plan_.partitions[0].nodes = {kHostile};
  plan_.decisions[0].candidate = plan_.decisions[0].reason = plan_.decisions[0].code = kHostile;
  const TraceLog log = testing::recorded_run({kHostile});
  const PageFacts hostile = facts(&log);
  std::string html = html::graph(hostile) + html::transfers(hostile) + html::candidates(hostile) + html::timeline(hostile) +
                     html::roofline(hostile) + html::memory(hostile);
  EXPECT_EQ(count_of(html, "<script"), 1U);  // the block of data
  EXPECT_EQ(count_of(html, "</script"), 1U);
  EXPECT_THAT(html, Not(HasSubstr("\x01")));
  EXPECT_THAT(html, Not(HasSubstr("\xFF")));
  EXPECT_THAT(html, Not(HasSubstr("\xE2\x80\xAE")));
  EXPECT_THAT(html, Not(HasSubstr(std::string(5000, 'n')))) << "a name of ten thousand characters is cut";
  EXPECT_THAT(html, HasSubstr("&quot;&gt;&lt;script&gt;"));
  data_of(html);
}

TEST_F(Sections, TransfersNameBothPartitionsAndTheType) {
  const std::string html = html::transfers(facts());
  EXPECT_THAT(html, HasSubstr("3 tensors"));
  EXPECT_THAT(
      html, HasSubstr("<code>b</code></td><td><i class=\"dot p0\"></i>0 <span class=\"dim\">fast</span></td><td><i class=\"dot "
                      "p1\"></i>1 <span class=\"dim\">wide</span></td><td><code>f32[1,200]</code></td><td "
                      "class=\"r\">800 B</td><td>host to device</td>"));
  plan_.partitions.resize(1);
  EXPECT_EQ(html::transfers(facts()), "");
}

TEST_F(Sections, CandidatesCarryWhatTheyAreSortedByAndTheirBadges) {
  plan_.decisions.resize(3);
  plan_.decisions[0].candidate = "fast@cpu:0/f32/t2/default";
  plan_.decisions[0].evidence.emplace();
  plan_.decisions[0].evidence->p50_ns = 2'000'000;
  plan_.decisions[1].candidate = "wide@npu:0/f16/t1/default";
  plan_.decisions[1].verdict = DecisionVerdict::kNotMeasured;
  plan_.decisions[1].estimate_ns = 1'000'000;
  plan_.decisions[2].candidate = "slow@cpu:0/f32/t1/default";
  plan_.decisions[2].code = "SLOWER";
  plan_.decisions[2].evidence.emplace();
  plan_.decisions[2].evidence->p50_ns = 3'000'000;
  plan_.decisions[2].evidence->interval_low = 1.4;
  plan_.decisions[2].evidence->interval_high = 1.6;
  const std::string html = html::candidates(facts());
  EXPECT_THAT(html, HasSubstr("data-verdict=\"slower\" data-rank=\"1\" data-ns=\"3000000\""));
  EXPECT_THAT(html, HasSubstr("<button type=\"button\" data-show=\"not measured\" aria-pressed=\"false\">"));
  EXPECT_THAT(html, HasSubstr("<span class=\"num\">1.00 ms</span> <span class=\"badge amber\">estimate</span>"));
  EXPECT_THAT(html, HasSubstr("<span class=\"badge amber\">simulated</span>"));
  // 1.4 and 1.6 times 2 ms on an axis of 3 ms.
  EXPECT_THAT(html, HasSubstr("<g class=\"whisker\"><line x1=\"93.333%\" x2=\"100.000%\""));
}

TEST_F(Sections, RooflineSaysWhatIsEstimatedAndWhatWasMeasured) {
  const TraceLog log = testing::recorded_run({"conv1"});
  const std::string html = html::roofline(facts(&log));
  EXPECT_THAT(html, HasSubstr("The roofs are the cost model's estimate"));
  // 4 million operations in 100 microseconds, on 4000 + 1200 bytes.
  EXPECT_THAT(html, HasSubstr("Conv conv1: 40 GFLOP/s measured, 769 FLOP per byte"));
  EXPECT_THAT(html, HasSubstr("MatMul matmul1: "));
  EXPECT_THAT(html, HasSubstr("by estimate"));
  EXPECT_THAT(html, HasSubstr("partition 0, fast@cpu:0/f32/t2/default: 20 GFLOP/s measured"));
  EXPECT_THAT(html, HasSubstr("1 of 4 bear the name of a recorded kernel"));
  EXPECT_THAT(html, HasSubstr("class=\"roof p0\""));
  EXPECT_THAT(html, HasSubstr("<i class=\"p0\"></i>cpu:0 f32: "));
  EXPECT_THAT(html, HasSubstr("class=\"roof p1\""));
}

TEST_F(Sections, RooflineOfAnUnknownResourceIsLeftOut) {
  input_.machine.resources.clear();
  EXPECT_EQ(html::roofline(facts()), "");
}

TEST_F(Sections, MemoryShowsEstimatesAndTheNewestMeasuredPeak) {
  EvidenceRow row;
  row.key.candidate = "fast@cpu:0/f32/t2/default";
  row.peak_memory_bytes = 1 << 20;
  input_.evidence = {row, row};
  input_.evidence[1].peak_memory_bytes = 3 << 20;
  const std::string html = html::memory(facts());
  EXPECT_THAT(html, HasSubstr("<td class=\"r\">3.9 KiB</td><td class=\"r\">1.6 KiB</td>"));
  EXPECT_THAT(html, HasSubstr("measured peak"));
  EXPECT_THAT(html, HasSubstr("<td class=\"r\">3.0 MiB</td>"));
  EXPECT_THAT(html, Not(HasSubstr("<td class=\"r\">1.0 MiB</td>")));
  input_.evidence.clear();
  EXPECT_THAT(html::memory(facts()), HasSubstr("No recorded measurement of this model has a peak of memory"));
}

TEST_F(Sections, TimelineDrawsTheLastRunWithKernelsBelowTheirPartition) {
  TraceRecorder recorder(64);
  const auto add = [&](TraceCategory category, const char* name, int64_t start_ns, int64_t duration_ns) {
    TraceEvent event;
    event.category = category;
    event.name = recorder.intern(name);
    event.start_ns = start_ns;
    event.duration_ns = duration_ns;
    event.thread = 7;
    event.partition = category == TraceCategory::kRun ? -1 : 1;
    recorder.record(event);
  };
  add(TraceCategory::kRun, "run", 1000, 1000);
  add(TraceCategory::kKernel, "first", 1000, 500);
  add(TraceCategory::kRun, "run", 5000, 1000);
  add(TraceCategory::kPartition, "part", 5100, 800);
  add(TraceCategory::kKernel, "conv <1>", 5100, 600);
  add(TraceCategory::kKernel, "relu", 5700, 100);
  const TraceLog log = recorder.log();
  const std::string html = html::timeline(facts(&log));
  EXPECT_THAT(html, HasSubstr("thread 7, partition 1: wide on npu:0"));
  EXPECT_THAT(html, Not(HasSubstr("first")));
  EXPECT_THAT(
      html,
      HasSubstr("<svg class=\"span\" x=\"10.000%\" y=\"24\" width=\"60.000%\" height=\"22\"><title>conv &lt;1&gt;: 600 ns, "
                "60.0 % of the run, 100 ns after its start</title>"));
  EXPECT_THAT(html, HasSubstr("class=\"fill soft p1\""));
  EXPECT_THAT(html, HasSubstr("<svg class=\"span\" x=\"70.000%\" y=\"24\" width=\"10.000%\""));
  EXPECT_THAT(html, HasSubstr("60.0 %"));
}

TEST_F(Sections, TimelineOfOnePartitionKeepsItBelowTheRun) {
  plan_.partitions.resize(1);
  const TraceLog log = testing::recorded_run({"conv1"});
  const std::string html = html::timeline(facts(&log));
  EXPECT_EQ(count_of(html, "class=\"lane\""), 1U);
  EXPECT_THAT(html, HasSubstr("y=\"24\" width=\"10.000%\""));
}

TEST_F(Sections, TimelineIsEmptyWithoutARun) {
  const TraceLog log;
  EXPECT_EQ(html::timeline(facts(&log)), "");
  EXPECT_EQ(html::timeline(facts()), "");
}

}  // namespace
}  // namespace axle
