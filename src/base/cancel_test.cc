#include "axle/cancel.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;
using Clock = std::chrono::steady_clock;

TEST(CancelToken, CopiesShareTheFlag) {
  CancelToken token;
  const CancelToken copy = token;
  EXPECT_FALSE(copy.cancelled());
  EXPECT_THAT(copy.check(), IsOk());
  token.cancel();
  EXPECT_TRUE(copy.cancelled());
  EXPECT_THAT(copy.check(), StatusIs(StatusCode::kCancelled));
  EXPECT_NE(copy.flag()->load(), 0u);
}

TEST(CancelToken, NoneIsNeverCancelled) {
  CancelToken token = CancelToken::none();
  token.cancel();
  EXPECT_FALSE(token.cancelled());
  EXPECT_THAT(token.check(), IsOk());
  EXPECT_EQ(token.flag(), nullptr);
}

TEST(CancelToken, PassedDeadlineCountsAndSetsTheFlag) {
  const CancelToken token = CancelToken::with_deadline(Clock::now() - std::chrono::seconds(1));
  EXPECT_THAT(token.check(), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_NE(token.flag()->load(), 0u);
}

TEST(CancelToken, FutureDeadlineIsOkAndCanStillBeCancelled) {
  CancelToken token = CancelToken::with_deadline(Clock::now() + std::chrono::hours(1));
  EXPECT_THAT(token.check(), IsOk());
  EXPECT_TRUE(token.deadline().has_value());
  token.cancel();
  EXPECT_THAT(token.check(), StatusIs(StatusCode::kCancelled));
}

TEST(CancelToken, FirstReasonStays) {
  CancelToken token = CancelToken::with_deadline(Clock::now() - std::chrono::seconds(1));
  EXPECT_TRUE(token.cancelled());
  token.cancel();
  EXPECT_THAT(token.check(), StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(CancelToken, IsSeenFromAnotherThread) {
  CancelToken token;
  std::thread other([copy = token]() mutable { copy.cancel(); });
  while (!token.cancelled()) std::this_thread::yield();
  other.join();
  EXPECT_THAT(token.check(), StatusIs(StatusCode::kCancelled));
}

TEST(CancelToken, UntilEndsWithItsParentOrAtItsDeadline) {
  CancelToken parent;
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  CancelToken child = parent.until(later);
  EXPECT_FALSE(child.cancelled());
  EXPECT_THAT(parent.until(std::chrono::steady_clock::now()).check(), testing::StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_FALSE(parent.cancelled());
  CancelToken other = parent.until(later);
  other.cancel();
  EXPECT_FALSE(parent.cancelled());
  parent.cancel();
  EXPECT_THAT(child.check(), testing::StatusIs(StatusCode::kCancelled));
}

}  // namespace
}  // namespace axle
