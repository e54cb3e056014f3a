// The finals of a tuning run on a machine whose quiet the test decides.
#include "runtime/measuring/race.h"

#include <gmock/gmock.h>

#include "axle/session.h"
#include "base/testing/status_matchers.h"
#include "probe/testing/fixture_tree.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/rows.h"

namespace axle {
namespace {

class RaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::reset_fake("runner");
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"runner"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
  }

  // Runs `disturbed.size()` rounds of one contender; true = a core is slow in that round.
  void run(const std::vector<bool>& disturbed) {
    SessionOptions options;
    options.runtime = runtime_;
    options.policy.engines.allow = {"runner"};
    contenders_.clear();
    Contender& one = contenders_.emplace_back();
    AXLE_ASSERT_OK_AND_ASSIGN(one.session, Session::create(*model_, options));
    AXLE_ASSERT_OK_AND_ASSIGN(one.binding, one.session->make_binding());
    ASSERT_TRUE(one.binding->bind_input("x", feed_.tensor).ok());
    one.screen_ns = 1;
    size_t round = 0;
    bool racing = false;
    const auto core_times = [&](std::span<const int32_t>) {
      return std::vector<int64_t>{racing && round < disturbed.size() && disturbed[round] ? 200 : 100};
    };
    const auto none = [] { return int64_t{0}; };
    Sentinel sentinel({}, {tree_.files(), {0}, core_times, none, none});
    racing = true;
    Race race(contenders_, sentinel,
              {[] { return int64_t{4'000'000}; }, [&] { return round >= disturbed.size(); }, [&] { ++round; }});
    race.run();
    noisy_ = race.noisy();
    settled_ = race.settled();
    rounds_ = round;
  }
  const Contender& runner() const { return contenders_.front(); }

  testing::FixtureTree tree_;  // without counters: the cores alone speak
  NamedTensor feed_ = testing::row_of(1);
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  std::vector<Contender> contenders_;
  bool noisy_ = false, settled_ = false;
  size_t rounds_ = 0;
};

TEST_F(RaceTest, AFewDisturbedRoundsDoNotCountAndMakeNoNoise) {
  run({false, true, false, false, true, false});
  EXPECT_EQ(rounds_, 6u);
  EXPECT_FALSE(noisy_);
  EXPECT_FALSE(settled_);
  EXPECT_EQ(runner().timings.block_ns.size(), 4u);
  EXPECT_EQ(runner().disturbed_timings.block_ns.size(), 2u);
  EXPECT_EQ(runner().disturbed, 2);
}

TEST_F(RaceTest, MoreDisturbedRoundsThanOthersAreAMachineThatIsNoisy) {
  run({true, false, true, true, false});
  EXPECT_TRUE(noisy_);
  EXPECT_FALSE(settled_);
  EXPECT_EQ(runner().timings.block_ns.size(), 2u);
  EXPECT_EQ(runner().disturbed, 3);
}

TEST_F(RaceTest, FiguresOfDisturbedRoundsStandWhereThereAreNoOthers) {
  run({true, true, true});
  EXPECT_TRUE(noisy_);
  EXPECT_TRUE(settled_);
  EXPECT_EQ(runner().timings.block_ns.size(), 3u);
  EXPECT_EQ(runner().timings.call_ns.size(), runner().disturbed_timings.call_ns.size());
  EXPECT_GE(runner().timings.call_ns.size(), 15u);
}

}  // namespace
}  // namespace axle
