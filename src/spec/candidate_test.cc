#include "spec/candidate.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::StatusIs;

TEST(Candidate, FormatsAndReadsBack) {
  const Candidate candidate{"onnxruntime", "cpu:0/1", "f32", 16, "graph_basic+1a2b3c4d"};
  EXPECT_EQ(candidate.format(), "onnxruntime@cpu:0/1/f32/t16/graph_basic+1a2b3c4d");
  AXLE_ASSERT_OK_AND_ASSIGN(const Candidate same, parse_candidate(candidate.format()));
  EXPECT_EQ(same, candidate);
}

TEST(Candidate, NamesTheCopyOfTheModelThatItRuns) {
  const Variant variant{"qdq", "sha256:1a2b3c4d5e6f", "onnxruntime 1.31.1", "", {}};
  const Candidate candidate{"openvino", "cpu:0", "int8", 2, "default", variant.name()};
  EXPECT_EQ(candidate.format(), "openvino@cpu:0/int8~qdq-1a2b3c4d/t2/default");
  AXLE_ASSERT_OK_AND_ASSIGN(const Candidate same, parse_candidate(candidate.format()));
  EXPECT_EQ(same, candidate);
  for (const char* text : {"e@cpu:0/int8~/t1/default", "e@cpu:0/~qdq/t1/default", "e@cpu:0/int8~a~b/t1/default"})
    EXPECT_THAT(parse_candidate(text), StatusIs(StatusCode::kInvalidArgument, "not a candidate")) << text;
}

TEST(Candidate, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "onnxruntime", "@cpu:0/f32/t1/default", "e@cpu:0/f32/t1", "e@cpu:0/f32/1/default", "e@cpu:0/f32/t0/default",
        "e@cpu:0/f32/t01/default", "e@cpu:0/f32/t-1/default", "e@/f32/t1/default", "e@cpu:0/f32/t99999999999/default",
        "E@cpu:0/f32/t1/default", "e@cpu 0/f32/t1/default", "e@cpu:0//t1/default", "e@cpu:0/f32/t1/"}) {
    EXPECT_THAT(parse_candidate(text), StatusIs(StatusCode::kInvalidArgument, "not a candidate")) << text;
  }
  EXPECT_THAT(parse_candidate(std::string(10'000, 'a')), StatusIs(StatusCode::kInvalidArgument, "too long"));
}

TEST(MixedName, FormatsAndReadsBack) {
  const Candidate first{"openvino", "cpu:0", "f32", 2, "default"}, second{"onnxruntime", "cpu:0/1", "f32", 1, "fast+1a2b3c4d"};
  const MixedName name{{second, first}, "0011aaff"};
  EXPECT_EQ(name.format(), "mixed:onnxruntime@cpu:0/1/f32/t1/fast+1a2b3c4d+openvino@cpu:0/f32/t2/default#0011aaff");
  AXLE_ASSERT_OK_AND_ASSIGN(const MixedName same, parse_mixed_name(name.format()));
  EXPECT_EQ(same, name);
  EXPECT_TRUE(check_candidate_name(name.format()).ok());
  EXPECT_TRUE(check_candidate_name(first.format()).ok());
}

TEST(MixedName, RefusesWhatIsNotOne) {
  const std::string one = "e@cpu:0/f32/t1/default";
  for (const std::string& text :
       {std::string("mixed:"), "mixed:" + one, std::string("mixed:#0011aaff"), "mixed:" + one + "#0011AAFF",
        "mixed:" + one + "#001", "mixed:" + one + "+" + one + "#0011aaff", "mixed:+" + one + "#0011aaff", one + "#0011aaff"}) {
    EXPECT_THAT(parse_mixed_name(text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace axle
