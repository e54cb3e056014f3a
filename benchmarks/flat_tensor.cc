#include "flat_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace axle_benchmarks {
namespace {

constexpr int32_t kF32 = 1;

size_t element_count(const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  return count;
}

size_t bytes_per_element(int32_t dtype) {
  switch (dtype) {
    case 1:
    case 6:
    case 12: return 4;
    case 7:
    case 11:
    case 13: return 8;
    case 4:
    case 5:
    case 10:
    case 16: return 2;
    default: return 1;
  }
}

}  // namespace

std::shared_ptr<std::byte> aligned_bytes(size_t size_bytes) {
  const size_t rounded = (std::max<size_t>(size_bytes, 1) + 63) / 64 * 64;
  void* memory = std::aligned_alloc(64, rounded);
  if (memory == nullptr) throw std::runtime_error("out of memory");
  std::memset(memory, 0, rounded);
  return {static_cast<std::byte*>(memory), [](std::byte* bytes) { std::free(bytes); }};
}

std::vector<FlatTensor> read_flat(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string line;
  if (!std::getline(in, line) || line != "axle-flat") throw std::runtime_error("not a file of inputs: " + path);
  std::vector<FlatTensor> tensors;
  while (std::getline(in, line)) {
    FlatTensor tensor;
    std::istringstream fields(line);
    std::getline(fields, tensor.name, '\t');
    fields >> tensor.dtype >> tensor.size_bytes;
    for (int64_t size = 0; fields >> size;) tensor.shape.push_back(size);
    tensor.data = aligned_bytes(tensor.size_bytes);
    if (!in.read(reinterpret_cast<char*>(tensor.data.get()), static_cast<std::streamsize>(tensor.size_bytes))) {
      throw std::runtime_error("truncated: " + path);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

double max_relative_error(const std::vector<FlatView>& ours, const std::vector<FlatView>& theirs) {
  if (ours.size() != theirs.size()) throw std::runtime_error("the two sides have different numbers of outputs");
  double worst = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].dtype != theirs[i].dtype || ours[i].shape != theirs[i].shape) {
      throw std::runtime_error("output " + std::to_string(i) + " has another type or shape on the two sides");
    }
    const size_t count = element_count(ours[i].shape);
    if (ours[i].dtype != kF32) {
      const bool equal = std::memcmp(ours[i].data, theirs[i].data, count * bytes_per_element(ours[i].dtype)) == 0;
      if (!equal) return std::numeric_limits<double>::infinity();
      continue;
    }
    const auto* a = static_cast<const float*>(ours[i].data);
    const auto* b = static_cast<const float*>(theirs[i].data);
    double difference = 0;
    double largest = 0;
    for (size_t k = 0; k < count; ++k) {
      difference = std::max(difference, static_cast<double>(std::fabs(a[k] - b[k])));
      largest = std::max(largest, static_cast<double>(std::fabs(b[k])));
    }
    worst = std::max(worst, largest > 0 ? difference / largest : difference);
  }
  return worst;
}

}  // namespace axle_benchmarks
