// Inputs as run.py writes them: one file, no format to parse, so that reading them costs every program the same.
// File: "axle-flat\n", then per tensor a line "NAME\tDTYPE\tBYTES\tDIM DIM ...\n" and BYTES of data. DTYPE: ONNX number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace axle_benchmarks {

struct FlatTensor {
  std::string name;
  int32_t dtype = 0;
  std::vector<int64_t> shape;
  size_t size_bytes = 0;
  std::shared_ptr<std::byte> data;  // 64-byte aligned
};

struct FlatView {
  int32_t dtype = 0;
  std::vector<int64_t> shape;
  const void* data = nullptr;
};

// Zero-filled; 0 bytes give a place as well.
std::shared_ptr<std::byte> aligned_bytes(size_t size_bytes);
// Throws std::runtime_error.
std::vector<FlatTensor> read_flat(const std::string& path);

// max|a-b| / max|b| over f32 outputs; throws when shapes or types differ. Other types: 0 when equal, infinity when not.
double max_relative_error(const std::vector<FlatView>& ours, const std::vector<FlatView>& theirs);

}  // namespace axle_benchmarks
