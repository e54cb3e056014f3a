#include "explain/effective_text.h"

#include <gmock/gmock.h>

namespace axle {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kMixed = R"({"precision":"bf16","precision_read_back":true,"kernels":[
  {"node":"conv_1","kernel":"brgconv_avx512_amx_BF16","precision":"bf16","resource":"cpu:0"},
  {"node":"softmax_7","kernel":"jit_avx512_FP32","precision":"f32","resource":"cpu:0"},
  {"node":"conv_2","kernel":"brgconv_avx512_amx_BF16","precision":"bf16","resource":"cpu:0"},
  {"node":"reshape","kernel":"unknown","precision":"","resource":"cpu:0"}]})";

Plan plan_at(const char* precision) {
  Plan plan;
  Partition part;
  part.candidate = {"openvino", "cpu:0", precision, 2, "default"};
  plan.partitions.push_back(part);
  return plan;
}

TEST(EffectiveText, CountsNodesByWhatTheyComputeIn) {
  const Plan plan = plan_at("bf16");
  RunDocument document;
  document.plan = &plan;
  document.effective_json = {kMixed};
  EXPECT_EQ(effective_words(document), "2 nodes in bf16, 1 in f32");
  EXPECT_THAT(render_effective_text(document, {.width = 120}),
              AllOf(HasSubstr("conv_1, conv_2"), HasSubstr("softmax_7"), HasSubstr("add -v"), Not(HasSubstr("reshape")),
                    Not(HasSubstr("brgconv"))));
  EXPECT_THAT(render_effective_text(document, {.width = 120, .verbose = true}),
              AllOf(HasSubstr("brgconv_avx512_amx_BF16"), HasSubstr("jit_avx512_FP32"), Not(HasSubstr("add -v"))));
  EXPECT_THAT(render_plan_text(document, {.width = 120}), HasSubstr("read back after load"));
  EXPECT_THAT(render_plan_line(document), HasSubstr("(2 nodes in bf16, 1 in f32)"));
}

TEST(EffectiveText, SaysNothingWhereNothingWasToldOrAskedFor) {
  const Plan plan = plan_at("bf16"), plain = plan_at("f32");
  RunDocument document;
  EXPECT_THAT(effective_words(document), IsEmpty());
  document.plan = &plan;
  for (const char* told : {"", "{}", "[]", "not json", R"({"kernels":3})", R"({"kernels":[3,{"node":1,"precision":"f32"}]})"}) {
    document.effective_json = {told};
    (void)render_effective_text(document, {});
    EXPECT_THAT(render_plan_line(document), Not(HasSubstr("nodes in"))) << told;
  }
  document.effective_json = {};
  EXPECT_THAT(render_effective_text(document, {}), IsEmpty());
  document.plan = &plain;
  document.effective_json = {kMixed};
  EXPECT_THAT(effective_words(document), IsEmpty());
}

}  // namespace
}  // namespace axle
