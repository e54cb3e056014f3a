// Element types: axle's and numpy's. bf16, f8 and types of less than a byte are those of the package ml_dtypes.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "axle/tensor.h"
#include "numpy_api.h"

namespace axle::python {

// Less than a byte: numpy holds one element per byte, axle packs them.
inline bool is_packed(DataType type) noexcept {
  const int bits = data_type_bits(type);
  return bits > 0 && bits < 8;
}

// "np.float32", "ml_dtypes.bfloat16": what a user writes.
std::string numpy_name(DataType type);

// The dtype object; strings are objects. Raises UnavailableError when it needs ml_dtypes and that is not installed.
nanobind::object numpy_dtype(DataType type);

// numpy's number of the type, for arrays whose bytes are axle's as they are; -1 for strings, packed types, and types of an
// ml_dtypes that is not installed.
int numpy_type_number(DataType type);

// The element type of an array; kString for text and objects; kUndefined for what axle has no word for.
DataType data_type_of(PyArrayObject* array);

}  // namespace axle::python
