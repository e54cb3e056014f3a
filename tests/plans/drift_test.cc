// Every field of drift, faked one at a time on recorded machines and edited planner inputs: the field, the place and both values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "axle/plan_diff.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "plan_case.h"
#include "planner/compare_facts.h"
#include "spec/planner_input_json.h"

namespace axle::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PlannerInput input_of(const std::string& name) {
  const std::string text = read_file(std::string(AXLE_SOURCE_DIR) + "/tests/plans/" + name + ".plan", 1u << 20).value();
  PlannerInput input = parse_plan_case(text).value().input;
  for (EngineFacts& engine : input.engines) {
    engine.info.plugin_version = "1";
    engine.info.library = EngineLibrary{"/lib/" + engine.info.name + ".so", engine.library_version, "", {}, {}};
    engine.plugin_file_digest = "sha256:plugin";
    engine.library_file_digest = "sha256:library";
  }
  input.model.files = {{"-", 10, "aa"}, {"weights", 20, "bb"}};
  return input;
}

EngineFacts& engine_of(PlannerInput& input, const std::string& name) {
  for (EngineFacts& engine : input.engines) {
    if (engine.info.name == name) return engine;
  }
  std::abort();
}

// The resource that the cases below turn on; every case's plan runs on openvino@cpu:0 or vitis@npu:0.
Resource& resource_of(PlannerInput& input, const std::string& id) {
  for (Resource& resource : input.machine.resources) {
    if (resource.id == id) return resource;
  }
  std::abort();
}

struct Faked {
  std::string name;
  std::string plan;  // file in tests/plans
  std::function<void(PlannerInput&)> edit;
  std::string text;  // Drift::to_string of the only drift
};

void PrintTo(const Faked& faked, std::ostream* out) { *out << faked.name; }

class DriftOf : public ::testing::TestWithParam<Faked> {};

TEST_P(DriftOf, IsNamedWithBothValues) {
  const PlannerInput locked = input_of(GetParam().plan);
  const Plan plan = make_plan(locked).value().plan;
  PlannerInput now = locked;
  GetParam().edit(now);
  const FactsComparison found = compare_facts(locked, now, plan);
  std::vector<std::string> texts;
  for (const Drift& drift : found.drifts) {
    texts.push_back(drift.to_string());
    EXPECT_TRUE(std::binary_search(drift_fields().begin(), drift_fields().end(), drift.field)) << drift.field;
  }
  EXPECT_THAT(texts, ElementsAre(GetParam().text));
}

constexpr const char* kCpuPlan = "evidence_decides";  // openvino@cpu:0/f32/t2 on cloud-vm-2core
constexpr const char* kNpuPlan = "ryzen_npu_engine";  // vitis@npu:0/bf16 on ryzen-hybrid

std::string repeated(char c) { return std::string(64, c); }

const Faked kFaked[] = {
    {"model_file", kCpuPlan, [](PlannerInput& now) { now.model.digest = "sha256:other", now.model.files[0].sha256 = "cc"; },
     "model of the model file: sha256:cc, locked sha256:aa"},
    {"weights_file", kCpuPlan, [](PlannerInput& now) { now.model.digest = "sha256:other", now.model.files[1].sha256 = "cc"; },
     "model of file weights: sha256:cc, locked sha256:bb"},
    {"weights_file_gone", kCpuPlan, [](PlannerInput& now) { now.model.digest = "sha256:other", now.model.files.pop_back(); },
     "model of file weights: not there, locked sha256:bb"},
    {"model_made_from_bytes", kCpuPlan, [](PlannerInput& now) { now.model.digest = "sha256:other"; },
     "model: sha256:other, locked sha256:model"},
    {"policy_threads", kCpuPlan, [](PlannerInput& now) { now.policy.execution.threads = 1; },
     "policy of execution.threads: 1, locked 0"},
    {"policy_kernel", kCpuPlan, [](PlannerInput& now) { now.policy.kernels["matmul"].force = "onednn"; },
     "policy of kernels.matmul.force: \"onednn\", locked none"},
    {"os", kCpuPlan, [](PlannerInput& now) { now.machine.os = "linux 7.0.0"; }, "os: linux 7.0.0, locked linux 6.18.44"},
    {"cpu_model", kCpuPlan,
     [](PlannerInput& now) { now.machine.cpu_model = "Another CPU", resource_of(now, "cpu:0").name = "Another CPU"; },
     "cpu_model: amd Another CPU, locked amd AMD EPYC"},
    {"architecture", kCpuPlan, [](PlannerInput& now) { now.machine.architecture = "aarch64"; },
     "cpu_model of architecture: aarch64, locked x86_64"},
    {"virtual_machine", kCpuPlan, [](PlannerInput& now) { now.machine.virtual_machine = false; },
     "cpu_model of virtual_machine: no, locked yes"},
    {"cpu_feature_gone", kCpuPlan, [](PlannerInput& now) { std::erase(now.machine.isa, "avx512_bf16"); },
     "cpu_features of avx512_bf16: not there, locked there"},
    {"cpu_feature_new", kCpuPlan, [](PlannerInput& now) { now.machine.isa.push_back("zzz"); },
     "cpu_features of zzz: there, locked not there"},
    {"clock", kCpuPlan, [](PlannerInput& now) { now.machine.cpus[1].max_khz = 1; },
     "cores of CPU topology: {\"core\":1,\"id\":1,\"max_khz\":1,\"numa_node\":0,\"package\":0,\"smt_index\":0}, locked "
     "{\"core\":1,\"id\":1,\"max_khz\":0,\"numa_node\":0,\"package\":0,\"smt_index\":0}"},
    {"cgroup_cpu", kCpuPlan, [](PlannerInput& now) { now.machine.cpu_quota = 1.5; },
     "cgroup_limit of CPU time: 1.5 CPUs, locked none"},
    {"cgroup_memory", kCpuPlan,
     [](PlannerInput& now) {
       now.machine.memory_limit_bytes = 512u << 20;
       resource_of(now, "cpu:0").memory_bytes = 512u << 20;
     },
     "cgroup_limit of memory: 512.0 MiB, locked none"},
    {"engine_version", kCpuPlan,
     [](PlannerInput& now) {
       engine_of(now, "openvino").library_version = "2026.5.0";
       engine_of(now, "openvino").library_file_digest = "sha256:other";
       engine_of(now, "openvino").library_digest = "sha256:both";
     },
     "engine_version of openvino: 2026.5.0, locked 2026.4.1"},
    {"library", kCpuPlan,
     [](PlannerInput& now) {
       engine_of(now, "openvino").library_file_digest = "sha256:" + repeated('1');
       engine_of(now, "openvino").library_digest = "sha256:both";
     },
     "library of openvino: sha256:" + repeated('1') + ", locked sha256:library"},
    {"plugin", kCpuPlan,
     [](PlannerInput& now) {
       engine_of(now, "openvino").plugin_file_digest = "sha256:" + repeated('2');
       engine_of(now, "openvino").library_digest = "sha256:both";
     },
     "plugin of openvino: sha256:" + repeated('2') + ", locked sha256:plugin"},
    {"plugin_version", kCpuPlan, [](PlannerInput& now) { engine_of(now, "openvino").info.plugin_version = "2"; },
     "plugin of openvino: 2, locked 1"},
    {"library_without_file_digests", kCpuPlan,
     [](PlannerInput& now) { engine_of(now, "openvino").library_digest = "sha256:both"; },
     "library of openvino: sha256:both, locked sha256:openvino"},
    {"engine_gone", kCpuPlan,
     [](PlannerInput& now) { std::erase_if(now.engines, [](const auto& e) { return e.info.name == "openvino"; }); },
     "engine of openvino: not here (there is no plugin of that name), locked 2026.4.1"},
    {"engine_broken", kCpuPlan,
     [](PlannerInput& now) {
       engine_of(now, "openvino").present = false;
       engine_of(now, "openvino").absent_reason = "libopenvino.so is missing";
     },
     "engine of openvino: not here (libopenvino.so is missing), locked 2026.4.1"},
    {"capability_precision", kCpuPlan,
     [](PlannerInput& now) { engine_of(now, "openvino").capabilities[0].capability.precisions[0].native = false; },
     "capability of openvino@cpu:0 precisions: [{\"accumulates\":\"\",\"name\":\"f32\",\"native\":false}], locked "
     "[{\"accumulates\":\"\",\"name\":\"f32\",\"native\":true}]"},
    {"capability_limit", kCpuPlan,
     [](PlannerInput& now) { engine_of(now, "openvino").capabilities[0].capability.limits["threads_max"] = 1; },
     "capability of openvino@cpu:0 limits: {\"threads_max\":1}, locked {}"},
    {"capability_resource", kCpuPlan, [](PlannerInput& now) { engine_of(now, "openvino").capabilities.clear(); },
     "capability of openvino@cpu:0: does not reach it, locked runs there"},
    {"memory", kNpuPlan, [](PlannerInput& now) { now.machine.memory_bytes = 16ull << 30; },
     "memory: 16.0 GiB, locked 30.6 GiB"},
    {"driver", kNpuPlan, [](PlannerInput& now) { resource_of(now, "npu:0").driver = "amdxdna 6.20.0"; },
     "driver of npu:0: amdxdna 6.20.0, locked amdxdna 6.14.0"},
    {"firmware", kNpuPlan, [](PlannerInput& now) { resource_of(now, "npu:0").attributes["firmware"] = "9.9"; },
     "driver of npu:0 firmware: 9.9, locked 1.5.5.391"},
    {"resource_gone", kNpuPlan,
     [](PlannerInput& now) { std::erase_if(now.machine.resources, [](const Resource& r) { return r.id == "npu:0"; }); },
     "resource of npu:0: not here, locked AMD Ryzen AI NPU (XDNA)"},
    {"resource_other", kNpuPlan, [](PlannerInput& now) { resource_of(now, "npu:0").name = "Another NPU"; },
     "resource of npu:0: Another NPU, locked AMD Ryzen AI NPU (XDNA)"},
    {"resource_moved", kNpuPlan, [](PlannerInput& now) { resource_of(now, "npu:0").pci_address = "0000:01:00.0"; },
     "resource of npu:0 pci_address: 0000:01:00.0, locked 0000:c5:00.1"},
};

INSTANTIATE_TEST_SUITE_P(Each, DriftOf, ::testing::ValuesIn(kFaked), [](const auto& faked) { return faked.param.name; });

TEST(Drift, FewerCoresAreTheCountAndTheCpus) {
  const PlannerInput locked = input_of(kCpuPlan);
  PlannerInput now = locked;
  now.machine.allowed_cpus = {0};
  resource_of(now, "cpu:0").cpus = {0};
  const FactsComparison found = compare_facts(locked, now, make_plan(locked).value().plan);
  ASSERT_EQ(found.drifts.size(), 2u);
  EXPECT_EQ(found.drifts[0].to_string(), "cores: 1, locked 2");
  EXPECT_EQ(found.drifts[1].to_string(), "cores of allowed CPUs: 0, locked 0-1");
}

TEST(Drift, WhatNoPartitionUsesIsANote) {
  const PlannerInput locked = input_of(kNpuPlan);
  const Plan plan = make_plan(locked).value().plan;
  PlannerInput now = locked;
  std::erase_if(now.machine.resources, [](const Resource& r) { return r.id == "gpu:0"; });
  std::erase(now.machine.isa, "avx2");
  now.machine.cpu_quota = 2;
  Resource fresh = resource_of(now, "npu:0");
  fresh.id = "npu:1", fresh.index = 1, fresh.name = "A second NPU";
  now.machine.resources.push_back(fresh);
  engine_of(now, "openvino").library_version = "2027.0.0";
  engine_of(now, "openvino").library_digest = "sha256:other";
  engine_of(now, "onnxruntime").present = false;
  EngineFacts qnn = engine_of(now, "vitis");
  qnn.info.name = "qnn";
  now.engines.push_back(qnn);
  const FactsComparison found = compare_facts(locked, now, plan);
  EXPECT_THAT(found.drifts, IsEmpty());
  EXPECT_THAT(found.notes, ElementsAre("cpu_features of avx2: not there, locked there; no partition runs on a CPU",
                                       "cgroup_limit of CPU time: 2 CPUs, locked none; no partition runs on a CPU",
                                       HasSubstr("gpu:0 (AMD Radeon 760M / 780M) is gone"),
                                       "npu:1 (A second NPU) is new here: a new plan could use it",
                                       "engine onnxruntime is gone; no partition uses it",
                                       "engine openvino is another one (2027.0.0, locked 2026.4.1); no partition uses it",
                                       "engine qnn 1.4 is new here; no partition uses it"));
}

TEST(Drift, ThereIsNoneBetweenEqualFactsOrWhatIsNoIdentity) {
  const PlannerInput locked = input_of(kCpuPlan);
  PlannerInput now = locked;
  now.machine.state.load_1min = 7;
  now.machine.recorded_name = "another name";
  now.machine.memory_bytes += 1u << 20;
  now.model = {};
  now.as_of_unix_s += 1;
  now.evidence.clear();
  now.policy.lock_waive = {"driver"};
  const FactsComparison found = compare_facts(locked, now, make_plan(locked).value().plan);
  EXPECT_THAT(found.drifts, IsEmpty());
  EXPECT_THAT(found.notes, IsEmpty());
}

// Whatever two different machines differ in, something is said: the fingerprint never changes in silence.
TEST(Drift, AnotherMachineIsNeverSilent) {
  const std::vector<std::string> machines = {"cloud-vm-2core", "ryzen-hybrid", "xeon-2socket", "h100-8gpu", "rk3588-board"};
  for (const char* name : {kCpuPlan, kNpuPlan}) {
    const PlannerInput locked = input_of(name);
    const Plan plan = make_plan(locked).value().plan;
    for (const std::string& machine : machines) {
      PlannerInput now = locked;
      now.machine = load_machine(std::string(AXLE_SOURCE_DIR) + "/tests/machines/" + machine + ".json").value();
      const FactsComparison found = compare_facts(locked, now, plan);
      EXPECT_EQ(found.drifts.empty(), now.machine.fingerprint() == locked.machine.fingerprint()) << name << " on " << machine;
    }
  }
}

TEST(Drift, EvidenceGetsOldWithoutBeingDrift) {
  const PlannerInput input = input_of(kCpuPlan);
  const Plan plan = make_plan(input).value().plan;
  EXPECT_THAT(old_evidence(plan, input.as_of_unix_s), IsEmpty());
  const auto old = old_evidence(plan, input.as_of_unix_s + 100 * 86'400);
  ASSERT_EQ(old.size(), 4u);
  EXPECT_EQ(old.front().candidate, "openvino@cpu:0/f32/t2/default");
  EXPECT_EQ(old.front().age_days, 101);
}

// ---- two plans in words ----------------------------------------------------------------------------------------------

Lock lock_of(const PlannerInput& input) {
  return make_lock(make_plan(input).value().plan, planner_input_to_json(input).value()).value();
}

TEST(PlanDiff, OfEqualLocksIsEmpty) {
  const Lock lock = lock_of(input_of(kCpuPlan));
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanDiff diff, diff_locks(lock, lock));
  EXPECT_TRUE(diff.same_work);
  EXPECT_THAT(diff.changes, IsEmpty());
}

TEST(PlanDiff, SaysWhatRunsOtherwiseAndWhy) {
  PlannerInput input = input_of(kCpuPlan);
  const Lock before = lock_of(input);
  input.policy.engines.allow = {"onnxruntime"};
  input.policy.execution.threads = 1;
  const Lock after = lock_of(input);
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanDiff diff, diff_locks(before, after));
  EXPECT_FALSE(diff.same_work);
  const auto change = [](const std::string& area, const std::string& where, const std::string& from, const std::string& to,
                         const std::string& why) {
    return AllOf(Field(&PlanChange::area, area), Field(&PlanChange::where, where), Field(&PlanChange::before, from),
                 Field(&PlanChange::after, to), Field(&PlanChange::why, HasSubstr(why)));
  };
  EXPECT_THAT(diff.changes, ::testing::Contains(change("policy", "execution.threads", "0", "1", "")));
  EXPECT_THAT(diff.changes, ::testing::Contains(change("policy", "engines.allow", "[]", "[\"onnxruntime\"]", "")));
  EXPECT_THAT(diff.changes,
              ::testing::Contains(change("partition", "partition 0 engine", "openvino", "onnxruntime", "POLICY")));
  EXPECT_THAT(diff.changes, ::testing::Contains(change("partition", "partition 0 threads", "2", "1", "")));
}

// Guards: another copy, or other prepared sizes, was "different work" without a row that said which.
TEST(PlanDiff, NamesTheCopyThePreparedSizesAndTheReplica) {
  Plan before = lock_of(input_of(kCpuPlan)).plan;
  before.partitions.front().variant =
      Variant{"qdq", "sha256:11111111", "onnxruntime 1.31.1", "sha256:a", {{"per_channel", "true"}}};
  Plan after = before;
  Partition& part = after.partitions.front();
  part.variant = Variant{"qdq", "sha256:22222222", "onnxruntime 1.31.1", "sha256:b", {{"per_channel", "false"}}};
  part.axes = {{"batch", 4}};
  part.replica = 1;
  const PlanDiff diff = diff_plans(before, after);
  EXPECT_FALSE(diff.same_work);
  std::map<std::string, std::pair<std::string, std::string>> changes;
  for (const PlanChange& change : diff.changes) changes[change.where] = {change.before, change.after};
  using Change = std::pair<std::string, std::string>;
  EXPECT_EQ(changes["partition 0 copy"], Change("qdq-11111111", "qdq-22222222"));
  EXPECT_EQ(changes["partition 0 copy's calibration"], Change("sha256:a", "sha256:b"));
  EXPECT_EQ(changes["partition 0 copy's per_channel"], Change("true", "false"));
  EXPECT_EQ(changes["partition 0 prepared sizes"], Change("open", "batch = 4"));
  EXPECT_EQ(changes["partition 0 replica"], Change("0", "1"));
  EXPECT_EQ(changes.size(), 5u);
}

TEST(PlanDiff, KnowsNewFiguresFromNewWork) {
  PlannerInput input = input_of(kCpuPlan);
  const Lock before = lock_of(input);
  for (EvidenceRow& row : input.evidence) {
    if (row.key.candidate == "openvino@cpu:0/f32/t2/default") row.p50_ns = 3'300'000;
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanDiff diff, diff_locks(before, lock_of(input)));
  EXPECT_TRUE(diff.same_work);
  ASSERT_FALSE(diff.changes.empty());
  for (const PlanChange& change : diff.changes) {
    EXPECT_TRUE(change.area == "evidence" || change.area == "decision" || change.area == "note")
        << change.area << " " << change.where;
  }
}

TEST(PlanDiff, OfMachinesNamesTheirFields) {
  PlannerInput input = input_of(kNpuPlan);
  const Lock before = lock_of(input);
  resource_of(input, "npu:0").driver = "amdxdna 6.20.0";
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanDiff diff, diff_locks(before, lock_of(input)));
  EXPECT_TRUE(diff.same_work);
  EXPECT_THAT(diff.changes,
              ::testing::Contains(AllOf(Field(&PlanChange::area, "machine"), Field(&PlanChange::where, "driver of npu:0"),
                                        Field(&PlanChange::after, "amdxdna 6.20.0"))));
}

}  // namespace
}  // namespace axle::testing
