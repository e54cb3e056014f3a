// Models of the tests, small enough to be checked by hand.
#pragma once

namespace axle::testing {

inline constexpr const char* kFixedMlp = R"(<ir_version: 8, opset_import: ["": 17]>
  mlp (float[1, 4] x) => (float[1, 2] y)
  <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {0.5, -0.5}>
  { h = MatMul(x, w)  y = Add(h, b) })";

// For x of ones: 160 * 0.02 and 200 * 0.02, in steps of 0.1.
inline constexpr const char* kQuantised = R"(<ir_version: 8, opset_import: ["": 17]>
  quantised (float[1, 4] x) => (float[1, 2] y)
  <int8[4, 2] w = {10, 20, 30, 40, 50, 60, 70, 80}, float xs = {0.05}, uint8 xz = {128}, float ws = {0.02}, int8 wz = {0},
   float ys = {0.1}, uint8 yz = {128}>
  { xq = QuantizeLinear(x, xs, xz)  xd = DequantizeLinear(xq, xs, xz)  wd = DequantizeLinear(w, ws, wz)
    h = MatMul(xd, wd)  hq = QuantizeLinear(h, ys, yz)  y = DequantizeLinear(hq, ys, yz) })";

// The processor has no determinant.
inline constexpr const char* kWithDet = R"(<ir_version: 8, opset_import: ["": 17]>
  with_det (float[2, 3, 3] x) => (float[2] y)
  { a = Relu(x)  b = Det(a)  y = Neg(b) })";

}  // namespace axle::testing
