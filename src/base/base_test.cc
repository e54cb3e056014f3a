// Tests of the small helpers: text, checked arithmetic, UTF-8, logging, dynamic libraries, fork guard.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/checked.h"
#include "base/dynamic_library.h"
#include "base/file.h"
#include "base/fork_guard.h"
#include "base/logging.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"
#include "base/utf8.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

TEST(Text, TrimsSplitsAndJoins) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
}

TEST(Text, PrintableHidesControlCharactersAndCuts) {
  EXPECT_EQ(printable("a\x1b[0m\n"), "a\\x1b[0m\\x0a");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Text, ParsesSizes) {
  EXPECT_THAT(parse_size_bytes("2GiB"), IsOkAndHolds(int64_t{2} << 30));
  EXPECT_THAT(parse_size_bytes(" 512 MiB "), IsOkAndHolds(int64_t{512} << 20));
  EXPECT_THAT(parse_size_bytes("1.5kB"), IsOkAndHolds(1500));
  EXPECT_THAT(parse_size_bytes("9223372036854775807"), IsOkAndHolds(std::numeric_limits<int64_t>::max()));
  for (const char* bad : {"", "GiB", "-1", "1 XB", "1..5G", "99999999TiB", "9223372036854775808", "1e3", "inf", "nan"}) {
    EXPECT_THAT(parse_size_bytes(bad), StatusIs(StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(Text, ParsesDurations) {
  EXPECT_THAT(parse_duration_ns("20ms"), IsOkAndHolds(20'000'000));
  EXPECT_THAT(parse_duration_ns("1.5s"), IsOkAndHolds(1'500'000'000));
  EXPECT_THAT(parse_duration_ns("2m"), IsOkAndHolds(120'000'000'000));
  EXPECT_THAT(parse_duration_ns("0s"), IsOkAndHolds(0));
  for (const char* bad : {"", "20", "ms", "-1s", "1 day", "99999999999h"}) {
    EXPECT_THAT(parse_duration_ns(bad), StatusIs(StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(Text, FormatsForPeople) {
  EXPECT_EQ(format_size_bytes(1023), "1023 B");
  EXPECT_EQ(format_size_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_size_bytes(int64_t{2} << 30), "2.0 GiB");
  EXPECT_EQ(format_duration_ns(850), "850 ns");
  EXPECT_EQ(format_duration_ns(12'340), "12.3 us");
  EXPECT_EQ(format_duration_ns(4'560'000), "4.56 ms");
  EXPECT_EQ(format_duration_ns(1'500'000'000), "1.50 s");
  EXPECT_EQ(format_duration_ns(125'000'000'000), "2m 05s");
}

TEST(Checked, SaysWhenItDoesNotFit) {
  EXPECT_EQ(checked_add<int32_t>(1, 2), 3);
  EXPECT_EQ(checked_add<int32_t>(INT32_MAX, 1), std::nullopt);
  EXPECT_EQ(checked_sub<uint32_t>(1, 2), std::nullopt);
  EXPECT_EQ(checked_mul<uint64_t>(1ull << 32, 1ull << 32), std::nullopt);
  EXPECT_EQ(checked_narrow<uint8_t>(256), std::nullopt);
  EXPECT_EQ(checked_narrow<uint8_t>(255), 255);
  EXPECT_EQ(checked_narrow<uint64_t>(-1), std::nullopt);
  EXPECT_EQ(checked_round_up<size_t>(65, 64), 128u);
  EXPECT_EQ(checked_round_up<size_t>(128, 64), 128u);
  EXPECT_EQ(checked_round_up<size_t>(SIZE_MAX, 64), std::nullopt);
}

TEST(CheckDeathTest, AbortsWithPlaceAndReason) {
  EXPECT_DEATH(AXLE_CHECK(1 + 1 == 3, "arithmetic holds"), "base_test.cc.*arithmetic holds");
}

TEST(Utf8, KnowsWellFormedText) {
  for (const char* good : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
    AXLE_ASSERT_OK_AND_ASSIGN(const std::u32string points, decode_utf8(good));
    EXPECT_THAT(encode_utf8(points), IsOkAndHolds(good));
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
    EXPECT_THAT(decode_utf8(bad), StatusIs(StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(encode_utf8(std::u32string(1, char32_t{0xD800})), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(encode_utf8(std::u32string(1, char32_t{0x110000})), StatusIs(StatusCode::kInvalidArgument));
}

class LoggingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_log_sink([this](LogLevel level, std::string_view module, std::string_view text) {
      lines_.push_back(fmt::format("{} {} {}", log_level_name(level), module, text));
    });
  }
  void TearDown() override {
    set_log_sink(nullptr);
    EXPECT_THAT(set_log_levels("warning"), IsOk());
  }
  std::vector<std::string> lines_;
};

TEST_F(LoggingTest, LevelsAreByModule) {
  ASSERT_THAT(set_log_levels("error, engine=debug"), IsOk());
  AXLE_LOG(kWarning, "cache", "dropped");
  AXLE_LOG(kError, "cache", "kept {}", 1);
  AXLE_LOG(kDebug, "engine", "kept {}", 2);
  AXLE_LOG(kTrace, "engine", "dropped");
  EXPECT_EQ(lines_, (std::vector<std::string>{"error cache kept 1", "debug engine kept 2"}));
}

TEST_F(LoggingTest, ArgumentsOfALineThatIsOffAreNotEvaluated) {
  ASSERT_THAT(set_log_levels("off"), IsOk());
  int calls = 0;
  AXLE_LOG(kError, "x", "{}", ++calls);
  EXPECT_EQ(calls, 0);
}

TEST_F(LoggingTest, BadLevelsChangeNothing) {
  ASSERT_THAT(set_log_levels("info"), IsOk());
  EXPECT_THAT(set_log_levels("loud"), StatusIs(StatusCode::kInvalidArgument, "loud"));
  EXPECT_THAT(set_log_levels("engine=loud"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_TRUE(log_enabled(LogLevel::kInfo, "x"));
}

TEST(DynamicLibrary, FindsSymbols) {
  AXLE_ASSERT_OK_AND_ASSIGN(const DynamicLibrary library, DynamicLibrary::open("libm.so.6"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto cosine, library.function<double (*)(double)>("cos"));
  EXPECT_EQ(cosine(0.0), 1.0);
  EXPECT_EQ(library.path().front(), '/');
  EXPECT_THAT(library.symbol("axle_no_such_symbol"), StatusIs(StatusCode::kUnavailable, "no symbol axle_no_such_symbol"));
}

TEST(DynamicLibrary, SaysWhatIsWrongWithTheFile) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  ASSERT_THAT(write_file_atomic(folder.file("text.so"), "not a library"), IsOk());
  ASSERT_THAT(write_file_atomic(folder.file("cut.so"), std::string("\177ELF\2\1\1", 7)), IsOk());
  EXPECT_THAT(DynamicLibrary::open(folder.file("absent.so")), StatusIs(StatusCode::kUnavailable, "no such file"));
  EXPECT_THAT(DynamicLibrary::open(folder.file("text.so")), StatusIs(StatusCode::kUnavailable, "not a shared library"));
  EXPECT_THAT(DynamicLibrary::open(folder.file("cut.so")), StatusIs(StatusCode::kUnavailable, "cut.so"));
  EXPECT_THAT(DynamicLibrary::open(folder.path()), StatusIs(StatusCode::kUnavailable, "not a regular file"));
  EXPECT_THAT(DynamicLibrary::open("libaxle_no_such.so"), StatusIs(StatusCode::kUnavailable, "libaxle_no_such.so"));
  EXPECT_THAT(DynamicLibrary::open(""), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ForkGuard, KnowsTheChild) {
  const ForkGuard guard;
  EXPECT_THAT(guard.check("session"), IsOk());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Status status = guard.check("session");
    ::_exit(status.code() == StatusCode::kFailedPrecondition && ForkGuard().check("session").ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_FALSE(guard.in_forked_child());
}

}  // namespace
}  // namespace axle
