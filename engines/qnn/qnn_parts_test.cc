// What needs no vendor library: options, records of compiled graphs, reasons in a log, standard output.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "qnn_support.h"
#include "quiet_stdout.h"

namespace axle::qnn {
namespace {

kit::Options options_of(const std::vector<axle_option_t>& entries) { return {entries.data(), entries.size()}; }
axle_option_t entry(std::string_view key, std::string_view value) { return {kit::to_text(key), kit::to_text(value)}; }

TEST(QnnSettings, ParseEveryDeclaredValueBack) {
  const std::map<std::string, std::string> defaults = to_texts(Settings{});
  EXPECT_EQ(option_table().size(), defaults.size());
  for (const kit::Option& option : option_table()) {
    EXPECT_EQ(defaults.at(option.name), option.default_value) << option.name;
    std::vector<std::string> values = option.choices;
    if (option.type == kit::OptionType::kInteger)
      values = {std::to_string(static_cast<int64_t>(*option.minimum)), std::to_string(static_cast<int64_t>(*option.maximum))};
    for (const std::string& value : values)
      EXPECT_EQ(to_texts(parse_settings(options_of({entry(option.name, value)}))).at(option.name), value) << option.name;
  }
}

// The provider ignores the first and only warns of the others.
TEST(QnnSettings, RefuseWhatTheProviderWouldLetPass) {
  EXPECT_THROW(parse_settings(options_of({entry("nonsense", "99")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("htp_arch", "99")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("performance_mode", "fast")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("optimization_mode", "4")})), kit::Error);
  EXPECT_THROW(parse_settings(options_of({entry("vtcm_mb", "-1")})), kit::Error);
}

TEST(QnnRecord, IsReadStrictly) {
  const auto record = parse_record("v2:6:2.51.0:5.51.0:75:0:0:0");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->sdk.text(), "2.51.0");
  EXPECT_EQ(record->backend.text(), "5.51.0");
  EXPECT_EQ(record->arch, "75");
  for (const char* text :
       {"", "v2", "v1:6:2.51.0:5.51.0:75", "v2:6:2.51:5.51.0:75", "v2:6:2.51.x:5.51.0:75", "v2:6:2.51.0:5.51.0:"})
    EXPECT_FALSE(parse_record(text).has_value()) << text;
}

int32_t code_of_check(const char* backend, const char* here, const char* arch) {
  try {
    check_record({*parse_version("2.0.0"), *parse_version(backend), arch}, here == nullptr ? std::nullopt : parse_version(here),
                 Settings{});
  } catch (const kit::Error& error) {
    return error.code();
  }
  return AXLE_OK;
}

TEST(QnnRecord, OfAnOlderSdkIsTakenAndOfANewerRefused) {
  EXPECT_EQ(code_of_check("5.51.0", "5.51.0", "75"), AXLE_OK);
  EXPECT_EQ(code_of_check("5.50.40", "5.51.0", "75"), AXLE_OK);
  EXPECT_EQ(code_of_check("5.51.1", "5.51.0", "75"), AXLE_FAILED_PRECONDITION);
  EXPECT_EQ(code_of_check("6.0.0", "5.51.0", "75"), AXLE_FAILED_PRECONDITION);
  EXPECT_EQ(code_of_check("5.51.0", "5.51.0", "68"), AXLE_FAILED_PRECONDITION);  // the emulator would run it
  EXPECT_EQ(code_of_check("9.0.0", nullptr, "75"), AXLE_OK);                     // not known: the vendor decides
}

TEST(QnnReasons, BelongToTheNodesOfTheirBlock) {
  const auto reasons = reasons_in(
      "Validation FAILED for 2 nodes in NodeUnit (Det) :\n"
      "\tOperator type: Det Node name: a/det Node index: 3\n"
      "\tOperator type: Mul Node name: scale it Node index: 4\n"
      "\tREASON : there is no builder for Det\n"
      "Validation PASSED for 1 nodes in NodeUnit (Relu) :\n"
      "\tOperator type: Relu Node name: relu Node index: 5\n"
      "Validation FAILED for 1 nodes in NodeUnit (Erf) :\n"
      "\tOperator type: Erf Node name: erf Node index: 6\n"
      "\tREASON : unsupported\n");
  EXPECT_EQ(reasons.size(), 3u);
  EXPECT_EQ(reasons.at("a/det"), "there is no builder for Det");
  EXPECT_EQ(reasons.at("scale it"), "there is no builder for Det");
  EXPECT_EQ(reasons.at("erf"), "unsupported");
  EXPECT_TRUE(reasons_in("nothing of the sort").empty());
}

TEST(QuietStdout, DivertsAndRestores) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  std::printf("before ");
  {
    const QuietStdout outer;
    const QuietStdout inner;
    std::printf("from a vendor ");
    std::fflush(stdout);
    EXPECT_EQ(::write(STDOUT_FILENO, "directly", 8), 8);
  }
  std::printf("after");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "before after");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "from a vendor directly");
}

}  // namespace
}  // namespace axle::qnn
