// Models in which an input is an index, a size, a length, a mask, ... and what its generated values must be: checked by the runtime's tests, and run
// by those of an engine that refuses what is out of bounds.
#pragma once

#include "runtime/testing/generated_bodies.h"

namespace axle::testing {

inline std::vector<GeneratedCase> index_cases() {
  return {
      {"gather", "g (float[5, 3] w, int64[2, 40] i) => (float[2, 40, 3] y) { y = Gather(w, i) }", "i", within(0, 4)},
      {"gather_open_axis", "g (float[2, n] w, int64[40] i) => (float[2, 40] y) { y = Gather<axis = -1>(w, i) }", "i",
       within(0, 15)},
      {"gather_through_float", "g (float[5, 3] w, float[40] i) => (float[40, 3] y) { j = Cast<to = 7>(i) y = Gather(w, j) }",
       "i", within(0, 4)},
      {"gather_after_offset",
       "g (float[10, 3] w, int64[40] i) => (float[40, 3] y) <int64 two = {2}> { j = Add(i, two) y = Gather(w, j) }", "i",
       within(0, 7)},
      {"gather_before_offset",
       "g (float[10, 3] w, int64[40] i) => (float[40, 3] y) <int64 two = {2}> { j = Sub(i, two) y = Gather(w, j) }", "i",
       within(2, 11)},
      {"gather_wraps",
       "g (float[5, 3] w, int64[40] i) => (float[40, 3] y) <int64 zero = {0}, int64 five = {5}> { b = Less(i, zero) j = Add(i, "
       "five) k = Where(b, j, i) y = Gather(w, k) }",
       "i", within(0, 4)},
      {"gather_elements", "g (float[2, 6] x, int64[2, 30] i) => (float[2, 30] y) { y = GatherElements<axis = 1>(x, i) }", "i",
       within(0, 5)},
      {"gather_nd", "g (float[9, 4, 5] x, int64[30, 2] i) => (float[30, 5] y) { y = GatherND(x, i) }", "i", within(0, 3)},
      {"gather_nd_batches",
       "g (float[2, 6, 5] x, int64[2, 30, 1] i) => (float[2, 30, 5] y) { y = GatherND<batch_dims = 1>(x, i) }", "i",
       within(0, 5)},
      {"scatter_elements",
       "g (float[5, 3] x, int64[4, 3] i, float[4, 3] u) => (float[5, 3] y) { y = ScatterElements<axis = 0>(x, i, u) }", "i",
       distinct_in_columns(3, 5)},
      {"scatter_elements_last",
       "g (float[3, 8] x, int64[1, 6] i, float[1, 6] u) => (float[3, 8] y) { y = ScatterElements<axis = -1>(x, i, u) }", "i",
       distinct({8})},
      {"scatter_nd_rows", "g (float[6, 4] x, int64[5, 1] i, float[5, 4] u) => (float[6, 4] y) { y = ScatterND(x, i, u) }", "i",
       distinct({6})},
      {"scatter_nd_elements",
       "g (float[3, 4] x, int32[11, 2] i, float[11] u) => (float[3, 4] y) { j = Cast<to = 7>(i) y = ScatterND(x, j, u) }", "i",
       distinct({3, 4})},
      {"one_hot", "g (int64[40] i) => (float[40, 7] y) <int64 depth = {7}, float[2] v = {0, 1}> { y = OneHot(i, depth, v) }",
       "i", within(0, 6)},
      {"one_hot_any_depth",
       "g (int64[40] i, int64 depth) => (float[40, d] y) <float[2] v = {0, 1}> { y = OneHot(i, depth, v) }", "i",
       within(0, 15)},
      {"one_hot_depth", "g (int64[40] i, int64 depth) => (float[40, 9] y) <float[2] v = {0, 1}> { y = OneHot(i, depth, v) }",
       "depth", all(9)},
      {"embedding_bag",
       "g (float[8, 3] w, int64[2, 40] i) => (float[2, 3] y) <int64[1] one = {1}> { e = Gather(w, i) y = ReduceSum<keepdims = "
       "0>(e, one) }",
       "i", within(0, 7)},
      {"embedding_bag_aten",
       "g (float[8, 3] w, int64[40] i, int64[4] o) => (float[4, 3] y) { y = org.pytorch.aten.ATen<operator = "
       "\"embedding_bag\">(w, i, o) }",
       "i", within(0, 7), false},
      {"embedding_bag_offsets",
       "g (float[8, 3] w, int64[40] i, int64[4] o) => (float[4, 3] y) { y = org.pytorch.aten.ATen<operator = "
       "\"embedding_bag\">(w, i, o) }",
       "o", exactly({0, 10, 20, 30}), false},
      {"bert_embedding",
       "g (int32[2, 8] i, int32[2, 8] s, float[9, 4] w, float[8, 4] p, float[2, 4] t, float[4] a, float[4] b) => (float[2, 8, "
       "4] y, int32[2] m) "
       "{ y, m = com.microsoft.EmbedLayerNormalization(i, s, w, p, t, a, b) }",
       "i", within(0, 8)},
      {"bert_embedding_types",
       "g (int32[2, 8] i, int32[2, 8] s, float[9, 4] w, float[8, 4] p, float[2, 4] t, float[4] a, float[4] b) => (float[2, 8, "
       "4] y, int32[2] m) "
       "{ y, m = com.microsoft.EmbedLayerNormalization(i, s, w, p, t, a, b) }",
       "s", within(0, 1)},
      {"roi_align", "g (float[3, 2, 8, 8] x, float[4, 4] r, int64[4] i) => (float[4, 2, 1, 1] y) { y = RoiAlign(x, r, i) }",
       "i", within(0, 2)},
      {"max_unpool",
       "g (float[1, 1, 2, 3] x, int64[1, 1, 2, 3] i) => (float[1, 1, 4, 6] y) { y = MaxUnpool<kernel_shape = [2, 2], strides = "
       "[2, 2]>(x, i) }",
       "i", distinct({24})},
      {"rotary",
       "g (float[1, 2, 4, 8] x, int64[1, 4] i, float[20, 4] c, float[20, 4] s) => (float[1, 2, 4, 8] y) { y = "
       "com.microsoft.RotaryEmbedding(x, i, c, s) }",
       "i", within(0, 19)},
      {"position_ids", "g (float[50, 3] w, int64[1, 4] position_ids) => (float[1, 4, 3] y) { y = Gather(w, position_ids) }",
       "position_ids", within(0, 3)},
      {"int8_index", "g (float[500, 3] w, int8[40] i) => (float[40, 3] y) { j = Cast<to = 7>(i) y = Gather(w, j) }", "i",
       within(0, 127)},
  };
}

inline std::vector<GeneratedCase> size_cases() {
  const std::string slice =
      "g (float[6, 7] x, int64[2] starts, int64[2] ends, int64[2] axes, int64[2] steps) => (float[a, b] y) { y = Slice(x, "
      "starts, ends, axes, steps) }";
  return {
      {"slice_starts", slice, "starts", all(0)},
      {"slice_ends", slice, "ends", exactly({6, 7})},
      {"slice_axes", slice, "axes", exactly({0, 1})},
      {"slice_steps", slice, "steps", all(1)},
      {"slice_end_of_axis",
       "g (float[6, 7] x, int64[1] e) => (float[6, b] y) <int64[1] s = {2}, int64[1] a = {1}> { y = Slice(x, s, e, a) }", "e",
       all(7)},
      {"range_limit",
       "g (int64 limit) => (int64[n] y) <int64 start = {3}, int64 delta = {2}> { y = Range(start, limit, delta) }", "limit",
       all(35)},
      {"range_of_floats", "g (float start, float limit, float delta) => (float[n] y) { y = Range(start, limit, delta) }",
       "limit", all(16)},
      {"range_delta", "g (int64 start, int64 limit, int64 delta) => (int64[n] y) { y = Range(start, limit, delta) }", "delta",
       all(1)},
      {"top_k", "g (float[2, 3] x, int64[1] k) => (float[2, n] v, int64[2, n] i) { v, i = TopK(x, k) }", "k", all(3)},
      {"top_k_declared", "g (float[2, 9] x, int64[1] k) => (float[2, 7] v, int64[2, 7] i) { v, i = TopK(x, k) }", "k", all(7)},
      {"reshape", "g (float[2, 12] x, int64[3] s) => (float[4, 2, 3] y) { y = Reshape(x, s) }", "s", exactly({4, 2, 3})},
      {"reshape_open", "g (float[2, 12] x, int64[3] s) => (float[a, b, c] y) { y = Reshape(x, s) }", "s", exactly({-1, 1, 1})},
      {"expand", "g (float[2, 1] x, int64[2] s) => (float[2, 5] y) { y = Expand(x, s) }", "s", exactly({2, 5})},
      {"expand_open", "g (float[2, 1] x, int64[2] s) => (float[a, b] y) { y = Expand(x, s) }", "s",
       ::testing::ElementsAre(::testing::AnyOf(1, 2), 1)},
      {"tile", "g (float[2, 3] x, int64[2] r) => (float[4, 3] y) { y = Tile(x, r) }", "r", exactly({2, 1})},
      {"constant_of_shape", "g (int64[2] s) => (float[3, 4] y) { y = ConstantOfShape(s) }", "s", exactly({3, 4})},
      {"split", "g (float[7, 2] x, int64[3] s) => (float[a, 2] p, float[b, 2] q, float[c, 2] r) { p, q, r = Split(x, s) }", "s",
       ::testing::Truly([](const std::vector<double>& v) {
         return v.size() == 3 && v[0] + v[1] + v[2] == 7 && *std::min_element(v.begin(), v.end()) >= 1;
       })},
      {"unsqueeze", "g (float[3] x, int64[2] a) => (float[1, 1, 3] y) { y = Unsqueeze(x, a) }", "a", exactly({0, 1})},
      {"squeeze", "g (float[3, 1, 4] x, int64[1] a) => (float[3, 4] y) { y = Squeeze(x, a) }", "a", exactly({1})},
      {"reduce_axes", "g (float[3, 4] x, int64[2] a) => (float[1, 1] y) { y = ReduceSum(x, a) }", "a", exactly({0, 1})},
      {"cumsum_axis", "g (float[3, 4] x, int64 a) => (float[3, 4] y) { y = CumSum(x, a) }", "a", all(0)},
      {"pad", "g (float[3, 4] x, int64[4] p) => (float[a, b] y) { y = Pad(x, p) }", "p", all(0)},
      {"resize_scales", "g (float[1, 1, 3, 4] x, float[4] s) => (float[a, b, c, d] y) { y = Resize(x, , s) }", "s", all(1)},
      {"resize_sizes",
       "g (float[1, 1, 3, 4] x, int64[4] s) => (float[1, 1, 6, 8] y) { y = Resize<mode = \"nearest\">(x, , , s) }", "s",
       exactly({1, 1, 6, 8})},
      {"loop_count",
       "g (int64 m, float[2] x) => (float[2] y) <bool t = {1}> { y = Loop(m, t, x) <body = b (int64 i, bool c, float[2] a) => "
       "(bool d, float[2] e) { d = Identity(c) e = Add(a, a) }> }",
       "m", all(2)},
      {"suppression",
       "g (float[1, 6, 4] b, float[1, 2, 6] s, int64[1] m, float[1] o) => (int64[n, 3] y) { y = NonMaxSuppression(b, s, m, o) "
       "}",
       "m", all(16)},
      {"lstm_lengths",
       "g (float[6, 2, 3] x, float[1, 16, 3] w, float[1, 16, 4] r, float[1, 32] b, int32[2] l) => (float[6, 1, 2, 4] y) { y = "
       "LSTM<hidden_size = 4>(x, w, r, b, l) }",
       "l", all(6)},
      {"gru_lengths_open",
       "g (float[t, n, 3] x, float[1, 12, 3] w, float[1, 12, 4] r, float[1, 24] b, int32[n] l) => (float[t, 1, n, 4] y) { y = "
       "GRU<hidden_size = 4>(x, w, r, b, l) }",
       "l", within(1, 16)},
      {"reverse_lengths",
       "g (float[6, 40] x, int64[40] l) => (float[6, 40] y) { y = ReverseSequence<time_axis = 0, batch_axis = 1>(x, l) }", "l",
       within(1, 6)},
      {"divisor", "g (int32[40] x, int32[40] d) => (int32[40] y) { y = Div(x, d) }", "d", within(1, 3)},
      {"modulus", "g (int64[40] x, int64[40] d) => (int64[40] y) { y = Mod(x, d) }", "d", within(1, 3)},
  };
}

inline std::vector<GeneratedCase> mask_cases() {
  const std::string hides =
      " one = {1}, float big = {-10000}> { h = Sub(one, f) m = Mul(h, big) t = Add(s, m) y = Softmax(t) }";
  return {
      {"mask_of_integers",
       "g (float[2, 4] s, int64[2, 4] attention_mask) => (float[2, 4] y) <float one = {1}, float big = {-10000}> { f = Cast<to "
       "= 1>(attention_mask) h = Sub(one, f) m = Mul(h, big) t = Add(s, m) y = Softmax(t) }",
       "attention_mask", all(1)},
      {"mask_without_a_name",
       "g (float[2, 4] s, int64[2, 4] a) => (float[2, 4] y) <float one = {1}, float big = {-10000}> { f = Cast<to = 1>(a) h = "
       "Sub(one, f) m = Mul(h, big) t = Add(s, m) y = Softmax(t) }",
       "a", all(1)},
      {"mask_compared",
       "g (float[2, 4] s, int64[2, 4] attention_mask) => (float[2, 4] y) <int64 zero = {0}, float low = {-10000}> { b = "
       "Equal(attention_mask, zero) y = Where(b, low, s) }",
       "attention_mask", all(1)},
      {"mask_of_booleans",
       "g (float[2, 4] s, bool[2, 4] attention_mask) => (float[2, 4] y) <float low = {-10000}> { y = Where(attention_mask, s, "
       "low) }",
       "attention_mask", all(1)},
      {"float_mask_of_ones",
       "g (float[2, 4] s, float[2, 4] attention_mask) => (float[2, 4] y) <float one = {1}, float big = {-10000}> { h = "
       "Sub(one, attention_mask) m = Mul(h, big) t = Add(s, m) y = Softmax(t) }",
       "attention_mask", all(1)},
      {"float_mask_without_a_name", "g (float[2, 4] s, float[2, 4] f) => (float[2, 4] y) <float" + hides, "f", all(1)},
      {"float_mask_multiplied", "g (float[2, 4] s, float[2, 4] mask) => (float[2, 4] y) { y = Mul(s, mask) }", "mask", all(1)},
      {"float_mask_added",
       "g (float[2, 3, 4] s, float[2, 4] attention_mask) => (float[2, 3, 4] y) <int64[1] a = {1}> { u = "
       "Unsqueeze(attention_mask, a) t = Add(s, u) y = Softmax(t) }",
       "attention_mask", all(0)},
      {"float_mask_scaled_and_added",
       "g (float[2, 4] s, float[2, 4] attention_mask) => (float[2, 4] y) <float big = {-10000}> { m = Mul(attention_mask, big) "
       "t = Add(s, m) y = Softmax(t) }",
       "attention_mask", all(0)},
      {"attention_bias",
       "g (float[1, 2, 3, 4] q, float[1, 2, 3, 4] k, float[1, 2, 3, 4] v, float[3, 3] m) => (float[1, 2, 3, 4] y) { y = "
       "Attention(q, k, v, m) }",
       "m", all(0), true, 23},
      {"attention_booleans",
       "g (float[1, 2, 3, 4] q, float[1, 2, 3, 4] k, float[1, 2, 3, 4] v, bool[3, 3] m) => (float[1, 2, 3, 4] y) { y = "
       "Attention(q, k, v, m) }",
       "m", all(1), true, 23},
      {"masked_positions",
       "g (float[9, 3] x, int64[40] masked_lm_positions) => (float[40, 3] y) { y = Gather(x, masked_lm_positions) }",
       "masked_lm_positions", within(0, 8)},
      {"token_types", "g (float[2, 3] w, int64[1, 40] token_type_ids) => (float[1, 40, 3] y) { y = Gather(w, token_type_ids) }",
       "token_type_ids", within(0, 1)},
      {"token_types_of_one_kind",
       "g (float[1, 3] w, int64[1, 40] token_type_ids) => (float[1, 40, 3] y) { y = Gather(w, token_type_ids) }",
       "token_type_ids", all(0)},
      {"condition", "g (float[5, 2] x, bool[5] c) => (float[n, 2] y) { y = Compress<axis = 0>(x, c) }", "c", all(1)},
  };
}

inline std::vector<GeneratedCase> number_cases() {
  const auto cast = [](const char* type) {
    return std::string("g (") + type + "[4, 5] x) => (float[4, 5] y) { y = Cast<to = 1>(x) }";
  };
  const auto dequantised = [](const char* type) {
    return std::string("g (") + type + "[4, 50] x, float s) => (float[4, 50] y) { y = DequantizeLinear(x, s) }";
  };
  const Numbers small = ::testing::AllOf(::testing::Each(::testing::AllOf(::testing::Ge(-1), ::testing::Le(1))),
                                         ::testing::Contains(::testing::Ne(0)));
  const auto spread = [](double low, double high) -> Numbers {
    return ::testing::AllOf(within(low, high), ::testing::Contains(::testing::Gt(high / 2)),
                            ::testing::Contains(::testing::Lt((low + high) / 2)));
  };
  return {
      {"bf16", cast("bfloat16"), "x", small, true, 21},
      {"f16", cast("float16"), "x", small, true, 21},
      {"f64", cast("double"), "x", small, true, 21},
      {"f8e4m3fn", cast("float8e4m3fn"), "x", small, true, 21},
      {"f8e4m3fnuz", cast("float8e4m3fnuz"), "x", small, true, 21},
      {"f8e5m2", cast("float8e5m2"), "x", small, true, 21},
      {"f8e5m2fnuz", cast("float8e5m2fnuz"), "x", small, true, 21},
      {"int4", dequantised("int4"), "x", spread(-8, 7), true, 21},
      {"uint4", dequantised("uint4"), "x", spread(0, 15), true, 21},
      {"int8", dequantised("int8"), "x", spread(-128, 127), true, 21},
      {"uint8", dequantised("uint8"), "x", spread(0, 255), true, 21},
      {"int4_plain", cast("int4"), "x", within(0, 1), true, 21},
      {"uint4_plain", cast("uint4"), "x", within(0, 1), true, 21},
      {"dequantised_f8", "g (float8e4m3fn[4, 5] x, float s) => (float[4, 5] y) { y = DequantizeLinear(x, s) }", "x", small,
       true, 21},
      {"scale", dequantised("int8"), "s", ::testing::Each(::testing::AllOf(::testing::Gt(0), ::testing::Le(1))), true, 21},
      {"variance",
       "g (float[2, 3, 4] x, float[3] a, float[3] b, float[3] m, float[3] v) => (float[2, 3, 4] y) { y = BatchNormalization(x, "
       "a, b, m, v) }",
       "v", ::testing::Each(::testing::Gt(0))},
  };
}

inline std::vector<GeneratedCase> generated_cases() {
  std::vector<GeneratedCase> cases = index_cases();
  for (auto more : {body_cases(), size_cases(), mask_cases(), number_cases()})
    cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

}  // namespace axle::testing
