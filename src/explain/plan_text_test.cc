#include <gmock/gmock.h>

#include "axle/explain.h"
#include "base/json.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EvidenceSummary measured(int64_t p50_ns, int64_t runs, double low = 0, double high = 0) {
  EvidenceSummary summary;
  summary.p50_ns = p50_ns;
  summary.runs = runs;
  summary.interval_low = low;
  summary.interval_high = high;
  return summary;
}

Plan example_plan() {
  Plan plan;
  plan.model_digest = "sha256:" + std::string(64, 'a');
  plan.judged_shapes = "x:f32[1,4]";
  Partition part;
  part.candidate = {"onnxruntime", "cpu:0", "f32", 2, "default"};
  part.engine_version = "1.31.1";
  part.expected_ns = 1'700;
  part.expected_from_evidence = true;
  plan.partitions.push_back(part);
  plan.expected_ns = 1'700;
  Decision chosen;
  chosen.candidate = part.candidate.format();
  chosen.verdict = DecisionVerdict::kChosen;
  chosen.reason = "fastest measured";
  chosen.evidence = measured(1'700, 400);
  Decision slower;
  slower.candidate = "openvino@cpu:0/f32/t2/default";
  slower.verdict = DecisionVerdict::kRejected;
  slower.reason = "3.2x slower";
  slower.evidence = measured(5'440, 200, 3.1, 3.3);
  Decision refused;
  refused.candidate = "tensorrt";
  refused.reason = "no NVIDIA GPU here";
  refused.nodes.push_back({"node_7", "NonZero", "UNSUPPORTED_OP", "no kernel for int4"});
  plan.decisions = {chosen, slower, refused};
  plan.substitutions.push_back({"npu", "cpu:0", "fallback.resource", "no NPU on this machine"});
  plan.notes.push_back("samples were generated");
  return plan;
}

TEST(PlanText, ShowsTheChoiceEveryReasonAndTheLedger) {
  const Plan plan = example_plan();
  RunDocument document;
  document.plan = &plan;
  const std::string text = render_plan_text(document, {.width = 160});
  for (const char* part : {"onnxruntime@cpu:0/f32/t2/default", "3.2x slower", "3.10-3.30x", "no NVIDIA GPU here", "node_7",
                           "no kernel for int4", "substituted: cpu:0 instead of npu", "samples were generated"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("\x1b[")));
}

TEST(PlanText, ShowsWhatPartsHandOver) {
  Plan plan = example_plan();
  plan.partitions[0].nodes = {"first"};
  Partition& second = plan.partitions.emplace_back(plan.partitions[0]);
  second.id = 1;
  second.candidate.engine = "openvino";
  second.nodes = {"second", "third"};
  plan.transfers = {{0, 1, "small", 16, "host", "host", "f32[4]"}, {0, 1, "large", 4096, "device", "host", "f32[n,64]"}};
  RunDocument document;
  document.plan = &plan;
  const std::string text = render_plan_text(document, {.width = 160});
  EXPECT_LT(text.find("large"), text.find("small"));
  for (const char* part : {"f32[n,64]", "4.0 KiB", "device to host", "host, not copied"}) EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(render_plan_line(document),
              HasSubstr("onnxruntime@cpu:0/f32/t2/default + openvino@cpu:0/f32/t2/default (2 parts)"));
}

TEST(PlanText, LineNamesTheNearestOther) {
  const Plan plan = example_plan();
  RunDocument document;
  document.plan = &plan;
  document.run_ns = 2'000;
  const std::string line = render_plan_line(document);
  EXPECT_THAT(line, HasSubstr("onnxruntime@cpu:0/f32/t2/default in "));
  EXPECT_THAT(line, HasSubstr("nearest other: openvino@cpu:0/f32/t2/default at 3.20x"));
}

TEST(RunJson, HasTheKeysOfTheContract) {
  const Plan plan = example_plan();
  LoadTiming timing;
  timing.cache = "hit";
  RunDocument document;
  document.plan = &plan;
  document.timing = &timing;
  document.run_ns = 2'000;
  document.outputs.push_back({"y", DataType::kFloat32, {1, 2}, "out/y.npy"});
  const auto text = render_run_json(document);
  ASSERT_TRUE(text.has_value()) << text.status().to_string();
  const Json json = *parse_json(*text);
  const Json& part = json["plan"]["partitions"][0];
  for (const char* key : {"id", "candidate", "engine", "engine_version", "resource", "resource_kind", "simulated", "precision",
                          "threads", "nodes", "expected_us", "artefact", "cache"}) {
    EXPECT_TRUE(part.contains(key)) << key;
  }
  EXPECT_EQ(part["expected_us"], 1.7);
  EXPECT_EQ(json["decisions"][0]["verdict"], "chosen");
  EXPECT_EQ(json["decisions"][1]["evidence"]["interval"][1], 3.3);
  EXPECT_EQ(json["decisions"][2]["nodes"][0]["code"], "UNSUPPORTED_OP");
  EXPECT_EQ(json["substitutions"][0]["allowed_by"], "fallback.resource");
  EXPECT_EQ(json["timing"]["cache"], "hit");
  EXPECT_EQ(json["outputs"][0]["file"], "out/y.npy");
}

TEST(PlanText, SaysHowThePolicyDiffersFromTheDefault) {
  const Plan plan = example_plan();
  Policy policy;
  RunDocument document;
  document.plan = &plan;
  document.policy = &policy;
  EXPECT_THAT(render_plan_text(document, {}), HasSubstr("policy " + policy_digest(policy).substr(0, 19) + ": as by default\n"));
  policy.execution.targets = {"npu"};
  policy.constraints.memory_bytes = 1024;
  const std::string text = render_plan_text(document, {.width = 160});
  EXPECT_THAT(text, HasSubstr("constraints.memory_bytes = 1024"));
  EXPECT_THAT(text, HasSubstr("[\"npu\"]"));
  EXPECT_THAT(text, Not(HasSubstr("as by default")));
}

TEST(PlanText, FoldsEmulatorsThatNobodyAskedFor) {
  Plan plan = example_plan();
  plan.decisions[2].code = "SIMULATED";
  plan.decisions[2].candidate = "pim:0";
  plan.decisions[2].nodes.clear();
  Policy policy;
  RunDocument document;
  document.plan = &plan;
  document.policy = &policy;
  EXPECT_THAT(render_plan_text(document, {}), Not(HasSubstr("pim:0")));
  EXPECT_THAT(render_plan_text(document, {}), HasSubstr("... 1 more: add -v"));
  EXPECT_THAT(render_plan_text(document, {.verbose = true}), HasSubstr("pim:0"));
  policy.execution.targets = {"pim"};
  EXPECT_THAT(render_plan_text(document, {}), HasSubstr("pim:0"));
}

TEST(ErrorText, PutsWhatALibrarySaysInManyLinesIntoOne) {
  const Status status = invalid_argument_error("m.onnx: bad node:\n\n  a Conv of 3 inputs\n==> in: g\n" +
                                               std::string(600, 'x') + "\nthe cause\n");
  const std::string text = render_error_text(status);
  EXPECT_THAT(text, ::testing::StartsWith("axle: m.onnx: bad node: a Conv of 3 inputs; ==> in: g; "));
  EXPECT_THAT(text, ::testing::EndsWith("xx; the cause (--json shows all of it)\n"));
  EXPECT_LT(text.size(), 600u);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ((*parse_json(render_error_json(status)))["error"]["message"], status.message());
}

TEST(ErrorText, IsAtMostThreeLinesAndKeepsTheHint) {
  const Status status = invalid_argument_error("input 'x' is f64, the model wants f32")
                            .with_hint("cast it first")
                            .with_family(ErrorFamily::kRuntime);
  const std::string text = render_error_text(status);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("try: cast it first"));
  const Json json = *parse_json(render_error_json(status));
  EXPECT_EQ(json["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(json["error"]["details"]["family"], "runtime");
}

}  // namespace
}  // namespace axle
