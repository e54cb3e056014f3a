// Compiling as a job of its own: artefacts without a session, for this machine and for others.
#include "axle/compile.h"

#include <gmock/gmock.h>

#include "axle/cache.h"
#include "axle/session.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;

class CompileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create(""));
    scratch_ = std::make_unique<ScratchDir>(std::move(scratch));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
  }
  void TearDown() override { testing::reset_fake("builder"); }

  // Shared with BuildTest: a process has 16 of them.
  // BuildTest's: a process has 16 of them.
  static testing::FakeEngine& engine() { return testing::registered_fake("builder"); }

  // A runtime that sees the script as it is now.
  void open() {
    RuntimeOptions options;
    options.cache_folder = scratch_->file("cache");
    options.engines = {"builder"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
  }
  Plan plan_here() {
    auto plan = plan_on_engine(*runtime_, *model_, {"builder"});
    EXPECT_THAT(plan, IsOk());
    return plan.ok() ? *plan : Plan();
  }
  // This one with another processor and an NPU.
  Machine board() const {
    Machine machine = *runtime_->machine();
    machine.cpu_model = "another processor";
    Resource npu;
    npu.id = "npu:0";
    npu.kind = ResourceKind::kNpu;
    npu.vendor = "acme";
    npu.name = "Board NPU";
    npu.driver = "acme 1.2";
    npu.attributes["pci_id"] = "1e60:2864";
    machine.resources.push_back(npu);
    return machine;
  }

  std::unique_ptr<ScratchDir> scratch_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
};

TEST_F(CompileTest, CompilesOnceAndLoadsNothing) {
  engine().script().artefact = "what was compiled";
  open();
  const int64_t compiled = engine().calls("compile"), loaded = engine().calls("load");
  const Plan plan = plan_here();
  EXPECT_THAT(plan.notes.front(), HasSubstr("no other candidate was looked at"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto first, compile_plan(*runtime_, *model_, plan));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].cache, "miss");
  EXPECT_EQ(first[0].size_bytes, std::string("what was compiled").size());
  EXPECT_GT(first[0].compile_ns, 0);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto again, compile_plan(*runtime_, *model_, plan));
  EXPECT_EQ(again[0].cache, "hit");
  EXPECT_EQ(again[0].key_digest, first[0].key_digest);
  EXPECT_EQ(engine().calls("compile") - compiled, 1);
  EXPECT_EQ(engine().calls("load") - loaded, 0);

  SessionOptions options;
  options.runtime = runtime_;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plan, options));
  EXPECT_EQ(session.timing().cache, "hit");
}

TEST_F(CompileTest, WritesTheFilesOfAnArtefact) {
  engine().script().artefact = "code";
  open();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto parts, compile_plan(*runtime_, *model_, plan_here()));
  const std::string folder = scratch_->file("files");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto names, write_artefact_files(*runtime_->cache(), parts[0].key_digest, folder));
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(read_file(folder + "/" + names[0], 1000).value_or(""), "code");
  EXPECT_THAT(write_artefact_files(*runtime_->cache(), "sha256:" + std::string(64, 'a'), folder),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(write_artefact_files(*runtime_->cache(), "../x", folder), StatusIs(StatusCode::kInvalidArgument, "no key"));
}

TEST_F(CompileTest, AFailureIsTheCompilersOwnAndLeavesNothing) {
  open();
  engine().fail("compile", 1, AXLE_RESOURCE_EXHAUSTED, "no space on the device");
  EXPECT_THAT(compile_plan(*runtime_, *model_, plan_here()),
              StatusIs(StatusCode::kResourceExhausted, "no space on the device"));
  EXPECT_THAT(*runtime_->cache()->ls(), IsEmpty());
  CompileOptions options;
  options.cancel = CancelToken();
  options.cancel.cancel();
  EXPECT_THAT(compile_plan(*runtime_, *model_, plan_here(), options), StatusIs(StatusCode::kCancelled));
}

TEST_F(CompileTest, ForAMachineThatIsNotHere) {
  kit::ResourceInfo absent;
  absent.id = "compiler:0";
  absent.kind = "npu";
  absent.attributes["compiles_for"] = "1e60:2864";
  engine().script().resources.push_back(absent);
  open();
  const Machine machine = board();
  PlanRequest request;
  request.machine = &machine;
  request.policy.engines.allow = {"builder"};
  ASSERT_THAT(apply_policy_flag(request.policy, "device", "npu"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport report, make_plan(*runtime_, *model_, request));
  EXPECT_EQ(report.plan.partitions[0].candidate.resource, "npu:0");
  CompileOptions options;
  options.machine = &machine;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto parts, compile_plan(*runtime_, *model_, report.plan, options));
  EXPECT_EQ(parts[0].cache, "miss");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto entries, runtime_->cache()->ls());
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].key_digest, parts[0].key_digest);
  EXPECT_EQ(entries[0].key.target, "acme Board NPU acme 1.2");
}

TEST_F(CompileTest, AnEngineThatCompilesOnlyWhereItRunsIsRefusedForOthers) {
  open();
  const Machine machine = board();
  const int64_t compiled = engine().calls("compile");
  CompileOptions options;
  options.machine = &machine;
  EXPECT_THAT(compile_plan(*runtime_, *model_, plan_here(), options),
              StatusIs(StatusCode::kFailedPrecondition, "compiles for no cpu like"));
  EXPECT_EQ(engine().calls("compile"), compiled);
}

TEST_F(CompileTest, APlanOnAnEngineSaysWhatItLacks) {
  open();
  const auto plan = [&](const EngineChoice& choice) { return plan_on_engine(*runtime_, *model_, choice); };
  EXPECT_THAT(plan({"builder", "", "int4"}), StatusIs(StatusCode::kUnimplemented, "no precision 'int4'"));
  EXPECT_THAT(plan({"builder", "gpu:7"}), StatusIs(StatusCode::kNotFound, "no resource 'gpu:7'"));
  EXPECT_THAT(plan({"builder", "", "f32", 1, {{"levl", "low"}}}), StatusIs(StatusCode::kInvalidArgument, "levl"));
  EXPECT_THAT(plan({"buildr"}), StatusIs(StatusCode::kNotFound, "buildr"));
  engine().script().support.graph = {kit::VerdictKind::kNo, "OTHER", "not this one"};
  EXPECT_THAT(plan({"builder"}), StatusIs(StatusCode::kUnimplemented, "not this one"));
}

}  // namespace
}  // namespace axle
