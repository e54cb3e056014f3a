#include "axle/policy.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/testing/status_matchers.h"
#include "policy/variant_precisions.h"
#include "spec/policy_json.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

constexpr std::string_view kEverything = R"(
[objective]
minimize = "throughput"
[constraints]
latency_p50 = "1500us"
latency_p99 = "20ms"
latency_mean = "2s"
memory = "2GiB"
power = 15
throughput_min = 100.5
[accuracy]
max_relative_error = 1e-3
cosine_min = 0.999
samples = "inputs.npz"
calibration = "calib.npz"
[execution]
target = "npu"
precision = ["int8", "fp16"]
static_shape = true
allow_fallback = ["cpu"]
threads = 2
isolation = "none"
[fallback]
engine = ["openvino"]
precision = ["f32"]
kernel = ["engine"]
[kernels]
matmul = "onednn"
attention = { prefer = ["flash_v2"], forbid = ["naive"] }
[resources]
deny = ["remote"]
split = { "cpu:0" = [[0], [1]] }
[engines]
prefer = ["openvino"]
[engines.openvino]
isolation = "process"
num_streams = 2
hint = "latency"
fast = true
[schedule]
kind = "replicas"
mixing = "allowed"
rebalance = true
ordered = false
each = "split"
groups = [["gpu:0", "gpu:1"], "gpu@amd"]
[shapes]
batch = [1, 4, 8]
[[pin]]
nodes = "encoder/*"
require = { resource = "npu:0" }
[[pin]]
op_types = ["Conv", "MatMul"]
forbid = { engine = "openvino", precision = "fp16" }
[tuning]
budget = "10s"
evidence = "require"
[prices]
"gpu@nvidia" = 2.5
[lock]
waive = ["driver"]
)";

TEST(ParsePolicy, ReadsTheWholeGrammar) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy p, parse_policy(kEverything));
  EXPECT_EQ(p.objective, Objective::kThroughput);
  EXPECT_EQ(p.constraints.latency_p50_ns, 1'500'000);
  EXPECT_EQ(p.constraints.latency_p99_ns, 20'000'000);
  EXPECT_EQ(p.constraints.memory_bytes, uint64_t{2} << 30);
  EXPECT_EQ(p.execution.targets, std::vector<std::string>{"npu"});
  EXPECT_EQ(p.execution.precisions, (std::vector<std::string>{"int8", "f16"}));
  EXPECT_EQ(p.fallback.resource, std::vector<std::string>{"cpu"});
  EXPECT_EQ(p.kernels.at("matmul").force, "onednn");
  EXPECT_EQ(p.kernels.at("attention").forbid, std::vector<std::string>{"naive"});
  EXPECT_EQ(p.resources.split.at("cpu:0"), (std::vector<std::vector<int32_t>>{{0}, {1}}));
  EXPECT_EQ(p.engines.options.at("openvino"),
            (std::map<std::string, std::string>{{"fast", "true"}, {"hint", "latency"}, {"num_streams", "2"}}));
  EXPECT_EQ(p.engines.isolation.at("openvino"), Isolation::kProcess);
  EXPECT_EQ(p.pins.at(1).forbid->precision, "f16");
  EXPECT_EQ(p.shapes.at("batch"), (std::vector<int64_t>{1, 4, 8}));
  EXPECT_EQ(p.schedule.ordered, false);
  EXPECT_EQ(p.schedule.each, ScheduleKind::kSplit);
  EXPECT_EQ(p.schedule.groups, (std::vector<std::vector<std::string>>{{"gpu:0", "gpu:1"}, {"gpu@amd"}}));
}

// Guards: locks and digests of policies written before the schedule had these keys.
TEST(ParsePolicy, KeysOfTheScheduleThatCameLaterStandOnlyWhereGiven) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy p, parse_policy("[schedule]\nkind = \"replicas\"\nrebalance = true"));
  EXPECT_EQ(policy_to_json_value(p).at("schedule").size(), 3u);
  EXPECT_EQ(policy_digest(Policy()), "sha256:e8d0942efe9425c87c4139bddf1fb7006dd18faaf1085e1fb1aec1cf5b5a05d8");
}

TEST(ParsePolicy, WhatReplicasAreMadeOfIsChecked) {
  const auto parse = [](const std::string& lines) { return parse_policy("[schedule]\n" + lines); };
  EXPECT_THAT(parse("kind = \"replicas\"\neach = \"pipeline\""), IsOk());
  EXPECT_THAT(parse("kind = \"single\"\nordered = true"), IsOk());
  EXPECT_THAT(parse("kind = \"replicas\"\neach = \"replicas\""),
              StatusIs(StatusCode::kInvalidArgument, "schedule.each is \"replicas\""));
  EXPECT_THAT(parse("each = \"pipeline\""), StatusIs(StatusCode::kInvalidArgument, "schedule.kind is \"auto\""));
  const std::string cut = "kind = \"replicas\"\neach = \"split\"\ngroups = ";
  EXPECT_THAT(parse("kind = \"replicas\"\ngroups = [[\"gpu:0\"], [\"gpu:1\"]]"),
              StatusIs(StatusCode::kInvalidArgument, "over which each replica is cut"));
  EXPECT_THAT(parse(cut + "[[\"gpu:0\", \"gpu:1\"]]"), StatusIs(StatusCode::kInvalidArgument, "one group"));
  EXPECT_THAT(parse(cut + "[[\"gpu:0\"], []]"), StatusIs(StatusCode::kInvalidArgument, "an empty group"));
  EXPECT_THAT(parse(cut + "[[\"gpu:0\", \"gpu:1\"], [\"gpu:1\"]]"),
              StatusIs(StatusCode::kInvalidArgument, "names \"gpu:1\" twice"));
  EXPECT_THAT(parse(cut + "[[0], [1]]"), StatusIs(StatusCode::kInvalidArgument, "policy:4:12: schedule.groups must be"));
  EXPECT_THAT(parse(cut + "[[\"gpu:x\"], [\"gpu:1\"]]"), StatusIs(StatusCode::kInvalidArgument, "gpu:x"));
}

TEST(ParsePolicy, HowManyRequestsAreJoinedIsChecked) {
  const auto parse = [](const std::string& lines, const char* objective = "throughput") {
    return parse_policy("[objective]\nminimize = \"" + std::string(objective) + "\"\n[schedule]\n" + lines + "\n");
  };
  for (const auto& [lines, rows] :
       {std::pair("batch = 8\nbatch_wait = \"200us\"", 8), std::pair("batch = \"auto\"", kAutoBatch)}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const Policy policy, parse(lines));
    EXPECT_EQ(policy.schedule.batch, rows);
    EXPECT_EQ(policy.schedule.batch_wait_ns, rows == 8 ? 200'000 : 0);
    AXLE_ASSERT_OK_AND_ASSIGN(const Policy same, parse_policy(format_policy(policy)));
    EXPECT_EQ(same, policy);
    AXLE_ASSERT_OK_AND_ASSIGN(const Policy from_json, read_policy_json(policy_to_json_value(policy), "policy"));
    EXPECT_EQ(from_json, policy);
  }
  EXPECT_THAT(parse("batch = 0"), StatusIs(StatusCode::kInvalidArgument, "policy:4:9"));
  EXPECT_THAT(parse("batch = \"many\""), StatusIs(StatusCode::kInvalidArgument, "schedule.batch is \"many\""));
  EXPECT_THAT(parse("batch = 4\nbatch_wait = \"2s\""), StatusIs(StatusCode::kInvalidArgument, "schedule.batch_wait is 2.00 s"));
  EXPECT_THAT(parse("batch_wait = \"1ms\""), StatusIs(StatusCode::kInvalidArgument, "schedule.batch joins none"));
  EXPECT_THAT(parse("batch = \"auto\"", "latency"), StatusIs(StatusCode::kInvalidArgument, "the objective is latency"));
  EXPECT_THAT(parse("batch = 4", "latency"), IsOk());
  EXPECT_THAT(parse("batch = 4", "hybrid"), StatusIs(StatusCode::kUnimplemented, "hybrid"));
}

TEST(ParsePolicy, RoundTripsThroughTomlAndJson) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy p, parse_policy(kEverything));
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy from_toml, parse_policy(format_policy(p)));
  EXPECT_EQ(from_toml, p);
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy from_json, read_policy_json(policy_to_json_value(p), "policy"));
  EXPECT_EQ(from_json, p);
  EXPECT_EQ(policy_digest(from_toml), policy_digest(p));
  EXPECT_NE(policy_digest(Policy()), policy_digest(p));
}

TEST(ParsePolicy, DefaultsAreWrittenAsNothing) {
  EXPECT_EQ(format_policy(Policy()), "");
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy p, parse_policy(""));
  EXPECT_EQ(p, Policy());
}

struct BadPolicy {
  const char* toml;
  const char* text;
};

class ParsePolicyRefuses : public ::testing::TestWithParam<BadPolicy> {};

TEST_P(ParsePolicyRefuses, WithPlaceAndHint) {
  EXPECT_THAT(parse_policy(GetParam().toml, "p.toml"), StatusIs(StatusCode::kInvalidArgument, GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, ParsePolicyRefuses,
    ::testing::Values(
        BadPolicy{"[objective]\nminimise = \"latency\"\n",
                  "p.toml:2:1: unknown key \"minimise\" in [objective] (did you mean \"minimize\"?)"},
        BadPolicy{"[$", "p.toml:1:2: "},  // the parser's own assertion ended debug builds
        BadPolicy{"\n\u00e9 = 1\n", "p.toml:2:1: "},  // undefined behaviour of the parser
        BadPolicy{"\n\uf7df\n", "p.toml:2:1: "},
        BadPolicy{"[objectve]\n", "p.toml:1:2: unknown key \"objectve\" in a policy (did you mean \"objective\"?)"},
        BadPolicy{"[objective]\nminimize = \"speed\"\n",
                  "p.toml:2:12: objective.minimize is \"speed\" (one of latency, throughput"},
        BadPolicy{"[constraints]\nlatency_p99 = 20\n", "p.toml:2:15: constraints.latency_p99 must be a string, not an integer"},
        BadPolicy{"[constraints]\nlatency_p99 = \"20\"\n", "p.toml:2:15: \"20\" is not a duration"},
        BadPolicy{"[constraints]\nmemory = \"2 GBs\"\n", "p.toml:2:10: \"2 GBs\" is not a size"},
        BadPolicy{"[constraints]\npower = -1\n", "p.toml:2:9: constraints.power is -1"},
        BadPolicy{"[accuracy]\ncosine_min = 1.5\n", "accuracy.cosine_min is 1.5; it must lie in [-1, 1]"},
        BadPolicy{"[execution]\ntarget = [\"cpu\", \"nqu\"]\n", "p.toml:2:18: "},
        BadPolicy{"[execution]\nprecision = \"fp17\"\n", "p.toml:2:13: \"fp17\" is no precision"},
        BadPolicy{"[execution]\nthreads = 5000\n", "p.toml:2:11: execution.threads is 5000"},
        BadPolicy{"[execution]\nstatic_shape = 1\n", "must be true or false, not an integer"},
        BadPolicy{"[execution]\nallow_fallback = \"cpu\"\n[fallback]\nresource = \"gpu\"\n",
                  "p.toml:4:12: fallback.resource differs from execution.allow_fallback"},
        BadPolicy{"[engines]\nalow = [\"a\"]\n", "p.toml:2:1: unknown key \"alow\" in [engines]"},
        BadPolicy{"[engines.OpenVINO]\nx = 1\n", "\"OpenVINO\" is no engine name"},
        BadPolicy{"[engines.openvino]\nx = [1]\n", "p.toml:2:5: engines.openvino.x must be a string, a number or a boolean"},
        BadPolicy{"[engines]\nallow = \"a\"\ndeny = \"a\"\n", "engine a is both allowed and denied"},
        BadPolicy{"[resources]\nsplit = { \"cpu:0\" = [[0], [0]] }\n", "puts CPU 0 into two core sets"},
        BadPolicy{"[resources]\nsplit = { \"cpu:0\" = [0] }\n", "must be a list of core sets"},
        BadPolicy{"[[pin]]\nrequire = { engine = \"a\" }\n", "pin 1 selects nothing"},
        BadPolicy{"[[pin]]\nnodes = \"a\"\n", "pin 1 demands nothing"},
        BadPolicy{"[engines]\ndeny = [\"x\"]\n[[pin]]\nnodes = \"a\"\nrequire = { engine = \"x\" }\n",
                  "which engines.deny denies"},
        BadPolicy{"[resources]\ndeny = [\"npu\"]\n[[pin]]\nnodes = \"a\"\nrequire = { resource = \"npu\" }\n",
                  "which resources.deny denies"},
        BadPolicy{"[[pin]]\nnodes = \"a\"\nrequire = { engine = \"x\" }\nforbid = { engine = \"x\" }\n",
                  "requires and forbids the same"},
        BadPolicy{"[[pin]]\nbetween = \"a\"\nforbid = { engine = \"a\" }\n", "between needs two tensor names"},
        BadPolicy{"[[pin]]\nnodes = \"a\"\nrequire = { device = \"a\" }\n",
                  "p.toml:3:13: unknown key \"device\" in [pin.require]"},
        BadPolicy{"[shapes]\nbatch = [0]\n", "p.toml:2:10: shapes.batch must be a size from 1"},
        BadPolicy{"[prices]\n\"gpu\" = \"x\"\n", "prices.\"gpu\" must be a price"},
        BadPolicy{"[lock]\nwaive = [\"drivr\"]\n", "did you mean \"driver\"?"},
        BadPolicy{"[kernels]\nmatmul = 1\n", "kernels.matmul must be a kernel's name"},
        BadPolicy{"[tuning]\nbudget = 2026-01-01\n", "p.toml:2:10: dates and times have no meaning here"},
        BadPolicy{"objective = 1\n", "p.toml:1:13: objective must be a table"}, BadPolicy{"[objective\n", "p.toml:1:1"},
        BadPolicy{"[a]\n[a]\n", "p.toml:2:"}));

TEST(ParsePolicy, BothFallbackSpellingsMayAgree) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy p,
                            parse_policy("[execution]\nallow_fallback = \"cpu\"\n[fallback]\nresource = [\"cpu\"]\n"));
  EXPECT_EQ(p.fallback.resource, std::vector<std::string>{"cpu"});
}

TEST(ParsePolicy, RefusesDeepNesting) {
  const std::string text = "x = " + std::string(10'000, '[') + std::string(10'000, ']');
  EXPECT_THAT(parse_policy(text), StatusIs(StatusCode::kInvalidArgument));
}

TEST(PolicyFlags, ReplaceWhatTheFileSays) {
  AXLE_ASSERT_OK_AND_ASSIGN(Policy p, parse_policy("[execution]\ntarget = \"npu\"\nprecision = \"int8\"\nthreads = 1\n"));
  ASSERT_THAT(apply_policy_flag(p, "--device", "cpu:0/0, cpu:0/1"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "engine", "onnxruntime"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "precision", "fp16,f32"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "threads", "2"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "objective", "memory"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "allow-fallback", "cpu"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "kernel", "matmul=onednn"), IsOk());
  ASSERT_THAT(apply_policy_flag(p, "tuning-budget", "1.5s"), IsOk());
  EXPECT_EQ(p.execution.targets, (std::vector<std::string>{"cpu:0/0", "cpu:0/1"}));
  EXPECT_EQ(p.engines.allow, std::vector<std::string>{"onnxruntime"});
  EXPECT_EQ(p.execution.precisions, (std::vector<std::string>{"f16", "f32"}));
  EXPECT_EQ(p.execution.threads, 2);
  EXPECT_EQ(p.objective, Objective::kMemory);
  EXPECT_EQ(p.fallback.resource, std::vector<std::string>{"cpu"});
  EXPECT_EQ(p.kernels.at("matmul").force, "onednn");
  EXPECT_EQ(p.tuning.budget_ns, 1'500'000'000);
}

TEST(PolicyFlags, RefuseBadValuesAndKeepThePolicy) {
  Policy p;
  for (const auto& [flag, value] : std::vector<std::pair<std::string, std::string>>{{"device", "cpu,,gpu"},
                                                                                    {"engine", "A"},
                                                                                    {"precision", "f99"},
                                                                                    {"threads", "-1"},
                                                                                    {"threads", "2x"},
                                                                                    {"objective", "speed"},
                                                                                    {"allow-fallback", "?"},
                                                                                    {"kernel", "matmul"},
                                                                                    {"tuning-budget", "10"},
                                                                                    {"color", "red"}}) {
    EXPECT_THAT(apply_policy_flag(p, flag, value), StatusIs(StatusCode::kInvalidArgument, "--" + flag)) << value;
  }
  EXPECT_EQ(p, Policy());
}

TEST(CheckPolicy, RefusesWhatCodeCanBuild) {
  Policy p;
  p.execution.threads = -3;
  EXPECT_THAT(check_policy(p), StatusIs(StatusCode::kInvalidArgument, "execution.threads"));
  p = Policy();
  p.execution.precisions = {"fp16", "f16"};
  EXPECT_THAT(check_policy(p), StatusIs(StatusCode::kInvalidArgument, "twice"));
  p = Policy();
  p.kernels["matmul"] = {};
  EXPECT_THAT(check_policy(p), StatusIs(StatusCode::kInvalidArgument, "names no kernel"));
  p = Policy();
  p.constraints.power_watts = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(check_policy(p), StatusIs(StatusCode::kInvalidArgument, "constraints.power"));
}

TEST(CheckCalibration, LetsEveryPartOfTheGrammarPass) {
  const auto refusal = [](const char* toml) {
    Result<Policy> policy = parse_policy(toml);
    return policy.has_value() ? check_calibration(*policy) : policy.status();
  };
  EXPECT_THAT(refusal("[objective]\nminimize = \"energy\""), IsOk());
  EXPECT_THAT(refusal("[constraints]\npower = 5"), IsOk());
  EXPECT_THAT(refusal("[execution]\nisolation = \"process\""), IsOk());
  EXPECT_THAT(refusal("[engines.openvino]\nisolation = \"process\""), IsOk());

  EXPECT_THAT(refusal("[schedule]\nkind = \"replicas\"\nrebalance = true"), IsOk());
  EXPECT_THAT(refusal("[schedule]\nkind = \"pipeline\""), IsOk());
  EXPECT_THAT(refusal("[schedule]\nmixing = \"allowed\""), IsOk());
  EXPECT_THAT(refusal("[shapes]\nbatch = 4"), IsOk());
  EXPECT_THAT(refusal("[[pin]]\nnodes = \"a/*\"\nrequire = { engine = \"x\" }"), IsOk());
  EXPECT_THAT(refusal("[kernels]\nmatmul = \"x\""), IsOk());
  EXPECT_THAT(refusal("[[pin]]\nnodes = \"*\"\nrequire = { engine = \"x\" }"), IsOk());
  EXPECT_THAT(refusal(""), IsOk());
}

TEST(CheckCalibration, TakesCalibrationDataWhereInt8IsAdmitted) {
  const auto refusal = [](const std::string& toml) {
    Result<Policy> policy = parse_policy("[accuracy]\ncalibration = \"c.npz\"\n" + toml);
    return policy.has_value() ? check_calibration(*policy) : policy.status();
  };
  EXPECT_THAT(refusal("cosine_min = 0.99"), IsOk());
  EXPECT_THAT(refusal("[execution]\nprecision = \"int8\""), IsOk());
  EXPECT_THAT(refusal("[execution]\nprecision = \"f32\"\n[fallback]\nprecision = \"int8\""), IsOk());
  EXPECT_THAT(refusal("[[pin]]\nnodes = \"*\"\nrequire = { precision = \"int8\" }"), IsOk());
  EXPECT_THAT(refusal(""), StatusIs(StatusCode::kInvalidArgument, "accuracy.calibration is for int8"));
  EXPECT_THAT(refusal("cosine_min = 0.99\n[execution]\nprecision = [\"bf16\", \"f32\"]"),
              StatusIs(StatusCode::kInvalidArgument, "does not admit"));
}

}  // namespace
}  // namespace axle
