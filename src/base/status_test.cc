#include "axle/status.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

TEST(Status, DefaultIsOkAndEmpty) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.to_string(), "OK");
  EXPECT_TRUE(status.details().empty());
}

TEST(Status, CarriesEverythingItWasGiven) {
  const Status status = unavailable_error("cannot open libfoo.so")
                            .with_hint("install foo")
                            .with_family(ErrorFamily::kRuntime)
                            .with_vendor_code(-7)
                            .with_detail("library", "libfoo.so")
                            .with_context("engine foo");
  EXPECT_EQ(status.to_string(), "UNAVAILABLE: engine foo: cannot open libfoo.so (install foo)");
  EXPECT_EQ(status.family(), ErrorFamily::kRuntime);
  EXPECT_EQ(status.vendor_code(), -7);
  ASSERT_EQ(status.details().size(), 1u);
  EXPECT_EQ(status.details()[0].first, "library");
}

TEST(Status, ChangingACopyLeavesTheOriginal) {
  const Status original = not_found_error("a");
  const Status changed = Status(original).with_context("b");
  EXPECT_EQ(original.message(), "a");
  EXPECT_EQ(changed.message(), "b: a");
}

TEST(Status, OkIgnoresAdditions) {
  EXPECT_THAT(ok_status().with_hint("x").with_context("y").with_detail("k", "v").with_vendor_code(3), IsOk());
}

TEST(Status, OkCodeWithAMessageIsAnInternalError) {
  EXPECT_THAT(Status(StatusCode::kOk, "contradiction"), StatusIs(StatusCode::kInternal));
}

TEST(Status, CodeNamesRoundTrip) {
  for (int code = 0; code <= 16; ++code) {
    const std::string_view name = status_code_name(static_cast<StatusCode>(code));
    EXPECT_EQ(parse_status_code(name), static_cast<StatusCode>(code)) << name;
  }
  EXPECT_EQ(parse_status_code("NO_SUCH_CODE"), std::nullopt);
  EXPECT_EQ(status_code_name(static_cast<StatusCode>(99)), "UNKNOWN");
}

TEST(Status, EveryFailureHasANonZeroExitCodeAndAnHttpError) {
  EXPECT_EQ(exit_code_for(StatusCode::kOk), 0);
  EXPECT_EQ(http_status_for(StatusCode::kOk), 200);
  for (int code = 1; code <= 16; ++code) {
    EXPECT_NE(exit_code_for(static_cast<StatusCode>(code)), 0) << code;
    EXPECT_GE(http_status_for(static_cast<StatusCode>(code)), 400) << code;
  }
}

Result<int> half(int number) {
  if (number % 2 != 0) return invalid_argument_error("odd");
  return number / 2;
}

Result<int> quarter(int number) {
  AXLE_ASSIGN_OR_RETURN(const int first, half(number));
  AXLE_ASSIGN_OR_RETURN(const int second, half(first));
  return second;
}

Status check_half(int number) {
  AXLE_RETURN_IF_ERROR(half(number));
  return ok_status();
}

TEST(Result, HoldsAValueOrAFailure) {
  EXPECT_THAT(half(4), IsOkAndHolds(2));
  EXPECT_THAT(half(3), StatusIs(StatusCode::kInvalidArgument, "odd"));
  EXPECT_EQ(half(3).value_or(-1), -1);
  EXPECT_THAT(half(4).status(), IsOk());
}

TEST(Result, MacrosPassTheFailureOn) {
  EXPECT_THAT(quarter(8), IsOkAndHolds(2));
  EXPECT_THAT(quarter(6), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(check_half(2), IsOk());
  EXPECT_THAT(check_half(1), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Result, ChainsLikeExpected) {
  EXPECT_THAT(half(8).and_then(half).transform([](int number) { return number + 1; }), IsOkAndHolds(3));
  EXPECT_THAT(half(6).and_then(half), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Result, CarriesMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, MadeFromAnOkStatusIsAnInternalError) { EXPECT_THAT(Result<int>(ok_status()), StatusIs(StatusCode::kInternal)); }

TEST(ResultDeathTest, AccessWithoutValueSaysWhy) {
  EXPECT_DEATH({ (void)half(3).value(); }, "odd");
}

}  // namespace
}  // namespace axle
