#include <gmock/gmock.h>

#include "axle/explain.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(std::vector<PlanChange> changes, bool verbose = false) {
  PlanDiff diff;
  diff.changes = std::move(changes);
  return render_plan_diff_text(diff, {.width = 400, .verbose = verbose});
}

const std::string kMoved =
    "onnxruntime@cpu:0/f32/t2/default is SLOWER: 1.176x the time of the chosen one [1.149, 1.205]; "
    "openvino@npu:0/f32/t1/default is CHOSEN: fastest of 4 candidates by measurement";

TEST(PlanDiffText, APartThatMovesIsOneSentenceWithItsReason) {
  EXPECT_THAT(text_of({{"partition", "partition 0 engine", "onnxruntime", "openvino", kMoved},
                       {"partition", "partition 0 resource", "cpu:0", "npu:0", kMoved},
                       {"partition", "partition 0 threads", "2", "1", kMoved}}),
              HasSubstr("  Part 0 moved from onnxruntime on cpu:0 to openvino on npu:0, with 1 thread instead of 2, because "
                        "onnxruntime@cpu:0/f32/t2/default: measured 18 % slower [1.149, 1.205]; openvino@npu:0/f32/t1/default: "
                        "fastest of 4 candidates by measurement.\n"));
}

TEST(PlanDiffText, WhatDidNotChangeIsReadFromTheReason) {
  const std::string why =
      "onnxruntime@cpu:0/f32/t2/default is SLOWER: 2.500x the time of the chosen one by separate medians; "
      "openvino@cpu:0/f32/t2/default is CHOSEN: fastest of 4 candidates by measurement";
  const std::string text = text_of({{"partition", "partition 1 engine", "onnxruntime", "openvino", why}});
  EXPECT_THAT(text, HasSubstr("Part 1 moved from onnxruntime on cpu:0 to openvino on cpu:0, because"));
  EXPECT_THAT(text, HasSubstr("measured 2.5 times as slow by separate medians"));
}

TEST(PlanDiffText, AReasonMayHoldASemicolonAndNeedNoCandidate) {
  const std::string text = text_of({{"partition", "partition 0 threads", "2", "1", "CHOSEN: fastest of 2; none was measured"}});
  EXPECT_THAT(text, HasSubstr("Part 0 runs with 1 thread instead of 2, because fastest of 2; none was measured.\n"));
}

TEST(PlanDiffText, EveryAreaIsSaidInWords) {
  const std::string text = text_of({
      {"model", "digest", "sha256:" + std::string(64, 'a'), "sha256:" + std::string(64, 'b'), ""},
      {"model", "shapes", "x:f32[1]", "x:f32[2]", ""},
      {"policy", "execution.threads", "0", "1", ""},
      {"policy", "tuning.budget", "", "10s", ""},
      {"machine", "driver of gpu:0", "a 1", "a 2", ""},
      {"engine", "engine_version of openvino", "1", "2", ""},
      {"schedule", "", "single", "replicas", ""},
      {"schedule", "batching", "", "up to 4 rows of axis n, 2 runs at a time", ""},
      {"partition", "partition 0 isolated", "false", "true", ""},
      {"partition", "partition 0 option enable_x", "1", "2", ""},
      {"partition", "partition 1", "", "a@cpu:0/f32/t1/default, the whole model", "CHOSEN: the only one"},
      {"transfer", "h from partition 0 to partition 1", "", "16 bytes, host to host", ""},
      {"substitution", "npu", "", "cpu:0 (allowed by fallback.resource: no NPU)", ""},
      {"decision", "b@cpu:0", "chosen (CHOSEN)", "rejected (SLOWER)", "SLOWER: 1.100x the time of the chosen one [1, 2]"},
      {"decision", "c@cpu:0", "", "not_measured (ESTIMATE)", "ESTIMATE: estimated 1.95x the time of the chosen one; say more"},
      {"decision", "d@cpu:0", "rejected (POLICY)", "", "it is not looked at any more"},
      {"evidence", "b@cpu:0", "p50 1 us", "p50 2 us", ""},
  });
  for (const char* said :
       {"The model is another one: sha256:bbbbbbbbbbbb now, sha256:aaaaaaaaaaaa before.",
        "The plan is judged on x:f32[2] now; before on x:f32[1].", "The policy sets execution.threads to 1; before it was 0.",
        "The policy sets tuning.budget to 10s.", "The driver of gpu:0 is a 2 now; before it was a 1.",
        "The engine version of openvino is 2 now; before it was 1.", "The schedule is replicas now; before it was single.",
        "Requests that wait are computed together now: up to 4 rows of axis n, 2 runs at a time.",
        "Part 0 runs in a process of its own now.", "The option enable_x of part 0 is 2 now; before it was 1.",
        "Part 1 is new: a@cpu:0/f32/t1/default, the whole model, because the only one.",
        "Handed over now: h from partition 0 to partition 1 (16 bytes, host to host).",
        "npu is replaced now by cpu:0 (allowed by fallback.resource: no NPU).",
        "b@cpu:0 is rejected now and was chosen before: measured 10 % slower [1, 2].",
        "c@cpu:0 is looked at for the first time and is not measured: estimated 95 % slower; say more.",
        "d@cpu:0 is not looked at any more; before it was rejected.", "and 1 difference in evidence and notes (-v)"})
    EXPECT_THAT(text, HasSubstr(said));
  EXPECT_LT(text.find("what runs"), text.find("what it was made for"));
  EXPECT_THAT(text, Not(HasSubstr("p50 2 us")));
  EXPECT_THAT(text_of({{"evidence", "b@cpu:0", "p50 1 us", "p50 2 us", ""}, {"note", "", "old words", "", ""}}, true),
              testing::AllOf(HasSubstr("b@cpu:0 was measured anew: p50 2 us; before p50 1 us."),
                             HasSubstr("No longer noted: old words")));
}

TEST(PlanDiffText, CandidatesThatSayLittleAreCounted) {
  std::vector<PlanChange> changes = {{"decision", "chosen@cpu:0", "", "chosen (CHOSEN)", "CHOSEN: the only one"}};
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    changes.push_back({"decision", std::string(name) + "@cpu:0", "", "rejected (POLICY)", "POLICY: not asked for"});
    changes.push_back({"decision", std::string(name) + "@npu:0", "rejected (POLICY)", "", "it is not looked at any more"});
  }
  changes.pop_back();
  const std::string text = text_of(changes);
  EXPECT_THAT(text, HasSubstr("chosen@cpu:0 is looked at for the first time and is chosen: the only one."));
  EXPECT_THAT(text, HasSubstr("2 more are looked at for the first time and are not chosen (-v names them)."));
  EXPECT_THAT(text, HasSubstr("One more is not looked at any more (-v names it)."));
  EXPECT_THAT(text, Not(HasSubstr("e@cpu:0")));
  EXPECT_THAT(text_of(changes, true), HasSubstr("e@cpu:0"));
}

TEST(PlanDiffText, LinesKeepToTheWidth) {
  PlanDiff diff;
  diff.changes = {{"partition", "partition 0 engine", "onnxruntime", "openvino", kMoved}};
  const std::string text = render_plan_diff_text(diff, {.width = 80});
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 80u) << text.substr(at, end - at);
    at = end + 1;
  }
  EXPECT_EQ(render_plan_diff_text(PlanDiff(), {}), "no difference\n");
}

}  // namespace
}  // namespace axle
