#include "integer_kernels.h"

#include <string>

#include <gtest/gtest.h>

namespace axle::ort {
namespace {

TEST(IntegerKernels, AreFoundInBothFormats) {
  EXPECT_TRUE(has_integer_kernels(std::string("ORTM....\x0b\0\0\0QLinearConv\0..", 26)));
  EXPECT_TRUE(has_integer_kernels("..\x22\x05QGemm.."));
}

TEST(IntegerKernels, AreNotFoundInNames) {
  EXPECT_FALSE(has_integer_kernels(""));
  EXPECT_FALSE(has_integer_kernels("layer/QLinearConv_3"));
  EXPECT_FALSE(has_integer_kernels(std::string("\x0d\0\0\0QLinearConv_3\0", 18)));
}

}  // namespace
}  // namespace axle::ort
