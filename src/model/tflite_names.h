// Names of TFLite's built-in operators.
#pragma once

#include <cstdint>
#include <string>

namespace axle {

inline constexpr int32_t kTfliteCustom = 32;

// "CONV_2D"; "BUILTIN_n" for a code that this build does not know.
std::string tflite_operator_name(int32_t code);

}  // namespace axle
