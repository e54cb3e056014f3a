// What counts as success of a step, tried with the shell as the vendor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "step_runner.h"

namespace axle::described {
namespace {

using axle::testing::IsOk;
using axle::testing::StatusIs;
using ::testing::HasSubstr;

Argument plain(std::string text) {
  Argument argument;
  argument.text = std::move(text);
  return argument;
}

class Judge : public ::testing::Test {
 protected:
  Judge() : scratch_(*ScratchDir::create()) {
    description_.environment.set["GREETING"] = "${word}";
    step_.name = "trial";
    step_.timeout_ns = 5'000'000'000;
  }

  Status run(const std::string& script) {
    step_.argv = {plain("/bin/sh"), plain("-c"), plain(script)};
    StepContext context{description_, {}, scratch_.path(), {}, {}, nullptr, nullptr};
    context.values = {{"out", scratch_.path()}, {"private", scratch_.file("private")}, {"word", "hello"}};
    if (cancelled_) context.cancelled = [] { return true; };
    context.progress = [&](double percent) { percents_.push_back(percent); };
    log_.clear();
    return run_step(step_, context, log_);
  }

  Description description_;
  Step step_;
  ScratchDir scratch_;
  std::string log_;
  std::vector<double> percents_;
  bool cancelled_ = false;
};

TEST_F(Judge, PlainSuccess) {
  EXPECT_THAT(run("echo done"), IsOk());
  EXPECT_THAT(log_, HasSubstr("done"));
}

// What was not looked at may hold the very line.
TEST_F(Judge, NoSuccessByALogThatWasCutOff) {
  const std::string script = "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo FATAL";
  EXPECT_THAT(run(script), IsOk());
  step_.success.log_must_not = {"^FATAL"};
  EXPECT_THAT(run(script), StatusIs(StatusCode::kUnknown, "what must not be in its log"));
  EXPECT_THAT(run("echo done"), IsOk());
}

TEST_F(Judge, EnvironmentIsWhatTheDescriptionSays) {
  step_.success.log_must = {"^hello:/.*private$"};
  EXPECT_THAT(run("echo $GREETING:$HOME$AXLE_SOURCE_DIR"), IsOk());
}

TEST_F(Judge, GroupStandsWhenItsTextHasTheValue) {
  Argument group;
  group.when = "${word}";
  group.is = "hello";
  group.args = {"--${word}", "x"};
  const StepContext context{description_, {{"word", "hello"}}, "", {}, {}, nullptr, nullptr};
  EXPECT_THAT(*expand_argv({plain("a"), group, plain("b")}, context), ::testing::ElementsAre("a", "--hello", "x", "b"));
  group.is = "goodbye";
  EXPECT_THAT(*expand_argv({plain("a"), group, plain("b")}, context), ::testing::ElementsAre("a", "b"));
}

TEST_F(Judge, ExitCodeAndLastWords) {
  EXPECT_THAT(run("echo first; echo second >&2; exit 3"), StatusIs(StatusCode::kUnknown, "ended with exit code 3"));
  EXPECT_THAT(run("echo second >&2; exit 3"), StatusIs(StatusCode::kUnknown, "it printed last: second"));
  step_.success.exit_codes = {3};
  EXPECT_THAT(run("exit 3"), IsOk());
}

TEST_F(Judge, MissingEmptyAndLinkedOutputs) {
  step_.outputs = {"${out}/a.bin"};
  EXPECT_THAT(run("true"), StatusIs(StatusCode::kUnknown, "a.bin is not there"));
  EXPECT_THAT(run(": > a.bin"), StatusIs(StatusCode::kUnknown, "a.bin is empty"));
  EXPECT_THAT(run("rm a.bin; ln -s /etc/passwd a.bin"), StatusIs(StatusCode::kUnknown, "a.bin is no regular file"));
  EXPECT_THAT(run("rm a.bin; echo 1 > a.bin"), IsOk());
}

TEST_F(Judge, LogPatterns) {
  step_.success.log_must = {"Success"};
  step_.success.log_must_not = {"wrong parameter"};
  EXPECT_THAT(run("echo nothing"), StatusIs(StatusCode::kUnknown, "no line of its log matches"));
  EXPECT_THAT(run("echo wrong parameter; echo Success"), StatusIs(StatusCode::kUnknown, "its log says \"wrong parameter\""));
  EXPECT_THAT(run("echo Success >&2"), IsOk());
}

TEST_F(Judge, JsonReport) {
  step_.success.reports = {{"${out}/r.json", "/part/0/n", "", 1.0, std::nullopt, std::nullopt}};
  EXPECT_THAT(run("true"), StatusIs(StatusCode::kUnknown, "the report cannot be read"));
  EXPECT_THAT(run("echo '{}' > r.json"), StatusIs(StatusCode::kUnknown, "r.json holds no /part/0/n"));
  EXPECT_THAT(run("echo '{\"part\":[{\"n\":0}]}' > r.json"), StatusIs(StatusCode::kUnknown, "is 0, at least 1 is wanted"));
  EXPECT_THAT(run("echo '{\"part\":[{\"n\":7}]}' > r.json"), IsOk());
}

TEST_F(Judge, CsvReport) {
  step_.success.reports = {{"${out}/r.csv", "", "target", std::nullopt, std::nullopt, "u55"}};
  EXPECT_THAT(run("printf 'a,target\\n1,u65\\n' > r.csv"), StatusIs(StatusCode::kUnknown, "target is u65, not u55"));
  EXPECT_THAT(run("printf 'a, target\\n1, u55\\n' > r.csv"), IsOk());
}

TEST_F(Judge, FailureTableGivesCodeAndHint) {
  description_.failures = {
      {"No space", std::nullopt, std::nullopt, StatusCode::kResourceExhausted, "the disk is full", "free some"},
      {"", std::nullopt, 6, StatusCode::kInternal, "it aborted", ""}};
  const Status full = run("echo No space left; exit 1");
  EXPECT_THAT(full, StatusIs(StatusCode::kResourceExhausted, "the disk is full"));
  EXPECT_EQ(full.hint(), "free some");
  EXPECT_THAT(run("kill -ABRT $$$$"), StatusIs(StatusCode::kInternal, "it aborted"));
  EXPECT_THAT(run("kill -SEGV $$$$"), StatusIs(StatusCode::kUnavailable, "was killed by signal 11"));
  EXPECT_THAT(run("echo No space left on the beach"), IsOk()) << "a success is no failure whatever it prints";
}

TEST_F(Judge, TimeoutAndCancel) {
  step_.timeout_ns = 100'000'000;
  EXPECT_THAT(run("sleep 60"), StatusIs(StatusCode::kDeadlineExceeded, "took longer than"));
  step_.timeout_ns = 60'000'000'000;
  cancelled_ = true;
  EXPECT_THAT(run("sleep 60"), StatusIs(StatusCode::kCancelled, "cancelled"));
}

TEST_F(Judge, MemoryLimit) {
  step_.memory_bytes = 64u << 20;
  EXPECT_FALSE(run("head -c 300000000 /dev/zero | tail -c 200000000 > /dev/null").ok());
}

TEST_F(Judge, ProgressComesFromTheLog) {
  step_.progress = "([0-9]+)%";
  EXPECT_THAT(run("echo at 10%; sleep 0.2; echo at 55%; printf 'no line end 90%%'"), IsOk());
  EXPECT_THAT(percents_, ::testing::ElementsAre(10, 55));
}

TEST_F(Judge, ArgumentGroupsRepeat) {
  StepContext context{
      description_, {{"out", "/o"}}, "",     {{"x", 0, "/i/x.npy", "f32", {1, 2}}, {"y", 1, "/i/y.npy", "i8", {}}},
      {},           nullptr,         nullptr};
  Argument each_input;
  each_input.each = "input";
  each_input.args = {"-i", "${name}:${dtype}[${shape}]=${path}"};
  const auto argv = expand_argv({plain("tool"), each_input, plain("${out}")}, context);
  ASSERT_THAT(argv, IsOk());
  EXPECT_THAT(*argv, ::testing::ElementsAre("tool", "-i", "x:f32[1,2]=/i/x.npy", "-i", "y:i8[]=/i/y.npy", "/o"));
}

TEST_F(Judge, ConfigFileFromAnotherWithTextsReplaced) {
  ASSERT_THAT(write_file_atomic(scratch_.file("template.json"), "{\"in\": \"IN_0\", \"again\": \"IN_0\"}"), IsOk());
  const Values values = {{"out", scratch_.path()}, {"input.0", "/i/x.npy"}};
  ASSERT_THAT(write_configs({{"${out}/run.json", "", "${out}/template.json", {{"IN_0", "${input.0}"}}}}, values), IsOk());
  EXPECT_EQ(*read_file(scratch_.file("run.json"), 1000), "{\"in\": \"/i/x.npy\", \"again\": \"/i/x.npy\"}");
}

}  // namespace
}  // namespace axle::described
