#include "runtime/loading/idle_engines.h"

#include <gmock/gmock.h>

#include <atomic>

#include "base/testing/status_matchers.h"
#include "runtime/runtime_state.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using namespace std::chrono_literals;

class IdleEnginesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::registered_fake("near");
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"near"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(engine_, runtime_->state().engine("near", *runtime_));
  }
  std::shared_ptr<Runtime> runtime_;
  std::shared_ptr<Engine> engine_;
};

TEST_F(IdleEnginesTest, AreGivenToOneCallerUnderTheirKey) {
  IdleEngines idle(2);
  EXPECT_EQ(idle.take("a"), nullptr);
  idle.give("a", engine_);
  EXPECT_EQ(idle.take("b"), nullptr);
  EXPECT_EQ(idle.take("a"), engine_);
  EXPECT_EQ(idle.take("a"), nullptr);
}

TEST_F(IdleEnginesTest, TheOldestGoesWhenThereAreTooMany) {
  IdleEngines idle(2);
  for (const char* key : {"a", "b", "c"}) idle.give(key, engine_);
  EXPECT_EQ(idle.size(), 2u);
  EXPECT_EQ(idle.take("a"), nullptr);
  EXPECT_EQ(idle.take("b"), engine_);
  idle.clear();
  EXPECT_EQ(idle.size(), 0u);
  IdleEngines none(0);
  none.give("a", engine_);
  none.prepare("a", [&]() -> Result<std::shared_ptr<Engine>> { return engine_; });
  EXPECT_EQ(none.size(), 0u);
}

TEST_F(IdleEnginesTest, OneThatIsBeingStartedIsWaitedForAndStartedOnce) {
  IdleEngines idle(2);
  std::atomic<int> starts{0};
  const auto start = [&]() -> Result<std::shared_ptr<Engine>> {
    ++starts;
    std::this_thread::sleep_for(20ms);
    return engine_;
  };
  idle.prepare("a", start);
  idle.prepare("a", start);
  EXPECT_EQ(idle.take("a"), engine_);
  EXPECT_EQ(idle.take("a"), nullptr);
  EXPECT_EQ(starts, 1);
}

TEST_F(IdleEnginesTest, AStartThatFailsIsNobodys) {
  IdleEngines idle(2);
  idle.prepare("a", []() -> Result<std::shared_ptr<Engine>> { return unavailable_error("it did not begin"); });
  EXPECT_EQ(idle.take("a"), nullptr);
}

TEST_F(IdleEnginesTest, NobodyWaitsForLong) {
  IdleEngines idle(2, 10ms);
  idle.give("a", engine_);
  for (int tries = 0; idle.size() > 0 && tries < 1000; ++tries) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(idle.size(), 0u);
  EXPECT_EQ(idle.take("a"), nullptr);
}

}  // namespace
}  // namespace axle
