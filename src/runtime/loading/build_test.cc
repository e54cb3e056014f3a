#include "runtime/loading/build.h"

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::Contains;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using testing::StatusIs;

class BuildTest : public ::testing::Test {
 protected:
  void SetUp() override { AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model()); }
  void TearDown() override { testing::reset_fake("builder"); }

  static FakeEngine& engine() { return testing::registered_fake("builder"); }

  // A runtime that sees the script as it is now.
  void open() {
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"builder"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
  }
  Partition part(std::vector<int32_t> cpu_set) const {
    Partition part;
    part.candidate = {"builder", "cpu:0", "f32", 1, "default"};
    part.cpu_set = std::move(cpu_set);
    return part;
  }
  std::vector<int32_t> all_cpus() const {
    const auto machine = runtime_->machine();
    EXPECT_THAT(machine, IsOk());
    return find_resource(*machine, "cpu:0")->cpus;
  }

  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
};

TEST_F(BuildTest, AWholeResourceNeedsNoCoreSetToBeKept) {
  engine().script().info.honours_cpu_set = false;
  engine().script().change_effective = [](kit::Effective& effective) { effective.cpu_set_honoured = false; };
  open();
  EXPECT_THAT(build_partition(*runtime_, *model_, part(all_cpus()), {}), IsOk());
  EXPECT_THAT(build_partition(*runtime_, *model_, part({}), {}), IsOk());
  EXPECT_THAT(build_partition(*runtime_, *model_, part({4095}), {}),
              StatusIs(StatusCode::kFailedPrecondition, "does not stay on"));
}

TEST_F(BuildTest, ACoreSetOfASplitMustBeKept) {
  engine().script().change_effective = [](kit::Effective& effective) { effective.cpu_set_honoured = false; };
  open();
  Partition half = part(all_cpus());
  half.candidate.resource = "cpu:0/0";
  EXPECT_FALSE(build_partition(*runtime_, *model_, half, {}).has_value());
}

kit::Option profiling_option() {
  kit::Option option;
  option.name = "profiling";
  option.type = kit::OptionType::kBoolean;
  option.default_value = "false";
  return option;
}

TEST_F(BuildTest, RecordingTurnsTheProfilingOptionOnAndThePlanSaysSo) {
  engine().script().capability.options.push_back(profiling_option());
  open();
  SessionOptions options;
  options.runtime = runtime_;
  options.policy.engines.allow = {"builder"};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session plain, Session::create(*model_, options));
  EXPECT_EQ(engine().loads().back().options.at("profiling"), "false");
  options.profile = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session recording, Session::create(*model_, options));
  EXPECT_EQ(engine().loads().back().options.at("profiling"), "true");
  EXPECT_THAT(recording.plan().notes, Contains(HasSubstr("profiling=true")));
  EXPECT_EQ(recording.plan().partitions, plain.plan().partitions) << "evidence and locks name what was planned";
  EXPECT_EQ(recording.plan().digest(), plain.plan().digest());
}

TEST_F(BuildTest, RecordingLeavesAnEngineWithoutThatOptionAsItIs) {
  open();
  SessionOptions options;
  options.runtime = runtime_;
  options.policy.engines.allow = {"builder"};
  options.profile = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(*model_, options));
  EXPECT_FALSE(engine().loads().back().options.contains("profiling"));
  EXPECT_THAT(session.plan().notes, Not(Contains(HasSubstr("profiling"))));
}

}  // namespace
}  // namespace axle
