#include <array>

#include "axle/tensor.h"
#include "tensor/numpy_name.h"

namespace axle {
namespace {

struct TypeRow {
  std::string_view name;
  std::string_view numpy_name;  // ml_dtypes' for what numpy lacks
  int bits;
  bool floating;
};

// By number: the enumerators of DataType.
constexpr std::array<TypeRow, kDataTypeCount> kTypes = {{
    {"undefined", "undefined", 0, false},
    {"f32", "float32", 32, true},
    {"u8", "uint8", 8, false},
    {"i8", "int8", 8, false},
    {"u16", "uint16", 16, false},
    {"i16", "int16", 16, false},
    {"i32", "int32", 32, false},
    {"i64", "int64", 64, false},
    {"string", "str", 0, false},
    {"bool", "bool", 8, false},
    {"f16", "float16", 16, true},
    {"f64", "float64", 64, true},
    {"u32", "uint32", 32, false},
    {"u64", "uint64", 64, false},
    {"c64", "complex64", 64, false},
    {"c128", "complex128", 128, false},
    {"bf16", "bfloat16", 16, true},
    {"f8e4m3fn", "float8_e4m3fn", 8, true},
    {"f8e4m3fnuz", "float8_e4m3fnuz", 8, true},
    {"f8e5m2", "float8_e5m2", 8, true},
    {"f8e5m2fnuz", "float8_e5m2fnuz", 8, true},
    {"u4", "uint4", 4, false},
    {"i4", "int4", 4, false},
    {"f4e2m1", "float4_e2m1fn", 4, true},
    {"f8e8m0", "float8_e8m0fnu", 8, true},
    {"u2", "uint2", 2, false},
    {"i2", "int2", 2, false},
}};

const TypeRow& row_of(DataType type) noexcept {
  const auto index = static_cast<size_t>(type);
  return kTypes[index < kTypes.size() ? index : 0];
}

}  // namespace

std::string_view data_type_name(DataType type) noexcept { return row_of(type).name; }

std::string_view numpy_type_name(DataType type) noexcept { return row_of(type).numpy_name; }

std::optional<DataType> parse_data_type(std::string_view name) noexcept {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes[i].name == name || kTypes[i].numpy_name == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

int data_type_bits(DataType type) noexcept { return row_of(type).bits; }

bool is_floating(DataType type) noexcept { return row_of(type).floating; }

}  // namespace axle
