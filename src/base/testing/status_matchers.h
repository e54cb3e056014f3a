// GoogleTest matchers for Status and Result: EXPECT_THAT(x, IsOk()), StatusIs(code, substring), IsOkAndHolds(matcher).
#pragma once

#include <gmock/gmock.h>

#include <string>

#include "axle/status.h"

namespace axle::testing {

inline Status status_of(const Status& status) { return status; }
template <typename T>
Status status_of(const Result<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is a failure" : "is OK") {
  const Status status = status_of(arg);
  *result_listener << status.to_string();
  return status.ok();
}

MATCHER_P2(StatusIs, code, substring, "has the given code and its text contains the given substring") {
  const Status status = status_of(arg);
  *result_listener << status.to_string();
  return status.code() == code && status.to_string().find(substring) != std::string::npos;
}

template <typename Code>
auto StatusIs(Code code) {
  return StatusIs(code, std::string());
}

MATCHER_P(IsOkAndHolds, matcher, "is OK and its value matches") {
  if (!arg.has_value()) {
    *result_listener << arg.status().to_string();
    return false;
  }
  return ::testing::ExplainMatchResult(matcher, *arg, result_listener);
}

}  // namespace axle::testing

#define AXLE_TEST_CONCAT(a, b) AXLE_CONCAT(a, b)
// Declares `lhs` from a Result or fails the test.
#define AXLE_ASSERT_OK_AND_ASSIGN(lhs, expr)                            \
  auto AXLE_TEST_CONCAT(test_result_, __LINE__) = (expr);               \
  ASSERT_TRUE(AXLE_TEST_CONCAT(test_result_, __LINE__).has_value())     \
      << AXLE_TEST_CONCAT(test_result_, __LINE__).status().to_string(); \
  lhs = std::move(AXLE_TEST_CONCAT(test_result_, __LINE__)).value()
