// Cases whose input is used inside If, Loop or Scan.
#pragma once

#include "runtime/testing/generated_case.h"

namespace axle::testing {

// What a body captures, is handed or gives. Both bounds are reached, so that 0 and 1 alone do not pass.
inline std::vector<GeneratedCase> body_cases() {
  const auto reaching = [](double high) -> Numbers {
    return ::testing::AllOf(within(0, high), ::testing::Contains(high), ::testing::Contains(0));
  };
  const std::string gather = " { a = Gather(w, i) }";
  const std::string branch = "g (float[5, 3] w, int64[40] i, bool c) => (float[40, 3] y) { y = If(c) <then_branch = t () => (";
  return {
      {"if_captures", branch + "float[40, 3] a)" + gather + ", else_branch = e () => (float[40, 3] b) { b = Gather(w, i) }> }",
       "i", reaching(4)},
      {"if_captures_what_has_one_row",
       "g (float[1, 3] w, int64[40] i, bool c) => (float[40, 3] y) { y = If(c) <then_branch = t () => (float[40, 3] a)" +
           gather + ", else_branch = e () => (float[40, 3] b) { b = Gather(w, i) }> }",
       "i", all(0)},
      {"if_asks_by_its_narrower_branch",
       "g (float[5, 3] w, float[9, 3] v, int64[40] i, bool c) => (float[40, 3] y) { y = If(c) <then_branch = t () => "
       "(float[40, "
       "3] a) { a = Gather(v, i) }, else_branch = e () => (float[40, 3] b) { b = Gather(w, i) }> }",
       "i", reaching(4)},
      {"if_holds_the_table",
       branch + "float[40, 3] a) <float[3, 3] own = {1, 2, 3, 4, 5, 6, 7, 8, 9}> { a = Gather(own, i) }, else_branch = e () => "
                "(float[40, "
                "3] b) { b = Gather(w, i) }> }",
       "i", reaching(2)},
      {"if_asks_after_an_offset",
       "g (float[5, 3] w, int64[40] i, bool c) => (float[40, 3] y) <int64 two = {2}> { j = Add(i, two) y = If(c) <then_branch "
       "= t () => (float[40, 3] a) { a = Gather(w, j) }, else_branch = e () => (float[40, 3] b) { b = Gather(w, j) }> }",
       "i", reaching(2)},
      {"if_computes_the_table",
       "g (float[3, 5] w, int64[40] i, bool c) => (float[40, 3] y) { y = If(c) <then_branch = t () => (float[40, 3] a) { u = "
       "Transpose<perm = [1, 0]>(w) a = Gather(u, i) }, else_branch = e () => (float[40, 3] b) { v = Transpose<perm = [1, "
       "0]>(w) b = Gather(v, i) }> }",
       "i", reaching(4)},
      {"if_gives_the_index",
       "g (float[5, 3] w, int64[40] i, bool c) => (float[40, 3] y) { j = If(c) <then_branch = t () => (int64[40] a) { a = "
       "Identity(i) }, else_branch = e () => (int64[40] b) { b = Abs(i) }> y = Gather(w, j) }",
       "i", reaching(4)},
      {"loop_captures",
       "g (float[5, 3] w, int64[40] i, int64 m, float[40, 3] x) => (float[40, 3] y) <bool t = {1}> { y = Loop(m, t, x) <body = "
       "b "
       "(int64 n, bool p, float[40, 3] a) => (bool q, float[40, 3] e) { q = Identity(p) r = Gather(w, i) e = Add(a, r) }> }",
       "i", reaching(4)},
      {"loop_carries",
       "g (float[5, 3] w, int64[40] i, int64 m) => (int64[40] z, float[k, 40, 3] y) <bool t = {1}> { z, y = Loop(m, t, i) "
       "<body "
       "= b (int64 n, bool p, int64[40] a) => (bool q, int64[40] e, float[40, 3] r) { q = Identity(p) e = Identity(a) r = "
       "Gather(w, a) }> }",
       "i", reaching(4)},
      {"loop_carries_the_table",
       "g (float[5, 3] w, int64[40] i, int64 m) => (float[5, 3] z, float[k, 40, 3] y) <bool t = {1}> { z, y = Loop(m, t, w) "
       "<body = b (int64 n, bool p, float[] a) => (bool q, float[] e, float[] r) { q = Identity(p) e = Identity(a) r = "
       "Gather(a, i) "
       "}> }",
       "i", reaching(4)},
      {"scan_captures",
       "g (float[5, 3] w, int64[40] i, float[4] x) => (float[4, 40, 3] y) { y = Scan(x) <num_scan_inputs = 1, body = b (float "
       "a) => (float[40, 3] e) { r = Gather(w, i) e = Add(r, a) }> }",
       "i", reaching(4)},
      {"scan_walks_along_the_indices",
       "g (float[5, 3] w, int64[4, 40] i) => (float[4, 40, 3] y) { y = Scan(i) <num_scan_inputs = 1, body = b (int64[40] a) => "
       "(float[40, 3] e) { e = Gather(w, a) }> }",
       "i", reaching(4)},
      {"scan_walks_along_the_table",
       "g (float[4, 5] w, int64[40] i) => (float[4, 40] y) { y = Scan(w) <num_scan_inputs = 1, body = b (float[k] a) => "
       "(float[40] e) { e = Gather(a, i) }> }",
       "i", reaching(4)},
      {"loop_carries_a_table_of_open_size",
       "g (float[N, 3] w, int64[40] i, int64 m) => (float[N, 3] z, float[k, 40, 3] y) <bool t = {1}> { z, y = Loop(m, t, w) "
       "<body = b (int64 n, bool p, float[] a) => (bool q, float[] e, float[] r) { q = Identity(p) e = Identity(a) r = "
       "Gather<axis = -1>(a, i) }> }",
       "i", reaching(2)},
      {"if_inside_a_loop",
       "g (float[5, 3] w, int64[40] i, int64 m, bool c, float[40, 3] x) => (float[40, 3] y) <bool t = {1}> { y = Loop(m, t, x) "
       "<body = b (int64 n, bool p, float[40, 3] a) => (bool q, float[40, 3] e) { q = Identity(p) r = If(c) <then_branch = u "
       "() "
       "=> (float[40, 3] f) { f = Gather(w, i) }, else_branch = v () => (float[40, 3] h) { h = Gather(w, i) }> e = Add(a, r) "
       "}> }",
       "i", reaching(4)},
      {"scattered_in_an_if",
       "g (float[6, 4] x, int64[5, 1] i, float[5, 4] u, bool c) => (float[6, 4] y) { y = If(c) <then_branch = t () => "
       "(float[6, "
       "4] a) { a = ScatterND(x, i, u) }, else_branch = e () => (float[6, 4] b) { b = Identity(x) }> }",
       "i", distinct({6})},
      {"turns_of_a_loop_in_an_if",
       "g (int64 m, float[2] x, bool c) => (float[2] y) <bool t = {1}> { y = If(c) <then_branch = u () => (float[2] z) { z = "
       "Loop(m, t, x) <body = b (int64 i, bool p, float[2] a) => (bool d, float[2] e) { d = Identity(p) e = Add(a, a) }> }, "
       "else_branch = v () => (float[2] w) { w = Identity(x) }> }",
       "m", all(2)},
  };
}

}  // namespace axle::testing
