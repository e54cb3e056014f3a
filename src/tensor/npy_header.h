// The header of an .npy file: a Python dictionary literal with exactly the keys descr, fortran_order and shape.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "axle/tensor.h"

namespace axle {

// numpy's element type: byte order, kind letter and size.
struct NpyType {
  char order = '|';  // '<', '>' or '|'
  char kind = 'V';
  int64_t size = 0;  // bytes; characters for kind U
};

struct NpyHeader {
  NpyType type;
  bool fortran_order = false;
  Shape shape;
  size_t data_offset = 0;  // where the elements begin
};

// INVALID_ARGUMENT (malformed), DATA_LOSS (truncated), UNIMPLEMENTED (structured types, other versions).
Result<NpyHeader> parse_npy_header(std::span<const std::byte> file);
// Version 1, padded so that the elements begin at a multiple of 64. `descr` like "<f4".
Result<std::string> format_npy_header(const std::string& descr, std::span<const int64_t> shape);

}  // namespace axle
