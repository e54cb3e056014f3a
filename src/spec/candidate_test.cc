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

TEST(Candidate, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "onnxruntime", "@cpu:0/f32/t1/default", "e@cpu:0/f32/t1", "e@cpu:0/f32/1/default", "e@cpu:0/f32/t0/default",
        "e@cpu:0/f32/t01/default", "e@cpu:0/f32/t-1/default", "e@/f32/t1/default", "e@cpu:0/f32/t99999999999/default",
        "E@cpu:0/f32/t1/default", "e@cpu 0/f32/t1/default", "e@cpu:0//t1/default", "e@cpu:0/f32/t1/"}) {
    EXPECT_THAT(parse_candidate(text), StatusIs(StatusCode::kInvalidArgument, "not a candidate")) << text;
  }
  EXPECT_THAT(parse_candidate(std::string(10'000, 'a')), StatusIs(StatusCode::kInvalidArgument, "too long"));
}

}  // namespace
}  // namespace axle
