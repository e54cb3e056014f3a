// What Python calls an element type.
#pragma once

#include <string_view>

#include "axle/tensor.h"

namespace axle {

// "float32"; the name in ml_dtypes for what numpy lacks.
std::string_view numpy_type_name(DataType type) noexcept;

}  // namespace axle
