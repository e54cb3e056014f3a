// What a session learns from an engine that does something else than it said.
#include <gmock/gmock.h>

#include "axle/session.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

// Two engines that say they compute in bf16. "asserter" goes first by name, and computes in f32.
class FailedLoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"asserter", "honest"})
      testing::registered_fake(name).script().compute = testing::elementwise([](float v) { return v + 1; });
    testing::registered_fake("asserter").script().change_effective = [](kit::Effective& effective) {
      effective.precision = "f32";
    };
    AXLE_ASSERT_OK_AND_ASSIGN(folder_, ScratchDir::create());
    RuntimeOptions runtime;
    runtime.cache_folder = folder_->path();
    runtime.engines = {"asserter", "honest"};
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(runtime));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    options_.policy.execution.precisions = {"bf16"};
    options_.policy.execution.threads = 1;
  }
  void TearDown() override {
    options_.runtime.reset();
    testing::reset_fake("asserter");
    testing::reset_fake("honest");
  }

  std::optional<ScratchDir> folder_;
  std::optional<Model> model_;
  SessionOptions options_;
};

TEST_F(FailedLoadTest, IsEvidenceAndTheNextCandidateIsPlanned) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(*model_, options_));
  EXPECT_EQ(session.plan().partitions.front().candidate.engine, "honest");
  bool told = false;
  for (const Decision& decision : session.plan().decisions) {
    if (!decision.candidate.starts_with("asserter@cpu:0/bf16/t1/default")) continue;
    told = true;
    EXPECT_EQ(decision.verdict, DecisionVerdict::kFailed);
    EXPECT_THAT(decision.reason, HasSubstr("computes in f32"));
  }
  EXPECT_TRUE(told);
  const size_t loads = testing::registered_fake("asserter").loads().size();
  AXLE_ASSERT_OK_AND_ASSIGN(const Session again, Session::create(*model_, options_));
  EXPECT_EQ(again.plan().partitions.front().candidate.engine, "honest");
  EXPECT_EQ(testing::registered_fake("asserter").loads().size(), loads) << "it is not tried again";
}

TEST_F(FailedLoadTest, WhereNothingElseIsAllowedItFailsWithTheReason) {
  options_.policy.engines.allow = {"asserter"};
  EXPECT_THAT(Session::create(*model_, options_).status(), StatusIs(StatusCode::kFailedPrecondition, "computes in f32"));
}

TEST_F(FailedLoadTest, APassingFailureIsNoEvidence) {
  testing::registered_fake("asserter").script().change_effective = {};
  testing::registered_fake("asserter").fail("load", 1, AXLE_UNAVAILABLE, "the device is busy");
  EXPECT_THAT(Session::create(*model_, options_).status(), StatusIs(StatusCode::kUnavailable, "the device is busy"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(*model_, options_));
  EXPECT_EQ(session.plan().partitions.front().candidate.engine, "asserter");
}

TEST_F(FailedLoadTest, EvidenceThatIsIgnoredChangesNothing) {
  options_.policy.tuning.evidence = EvidenceUse::kIgnore;
  EXPECT_THAT(Session::create(*model_, options_).status(), StatusIs(StatusCode::kFailedPrecondition, "computes in f32"));
}

}  // namespace
}  // namespace axle
