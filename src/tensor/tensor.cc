#include "axle/tensor.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/checked.h"
#include "base/shared_blocks.h"

namespace axle {
namespace {

constexpr int64_t kMaxStrings = int64_t{1} << 32;

Status no_memory(DataType dtype, std::span<const int64_t> shape) {
  return resource_exhausted_error(fmt::format("no memory for a tensor {} {}", data_type_name(dtype), format_shape(shape)));
}

Status undefined_dtype() { return invalid_argument_error("a tensor needs an element type"); }

// Elements may be read through pointers to their type.
size_t natural_alignment(DataType dtype) {
  switch (dtype) {
    case DataType::kString: return alignof(std::string);
    case DataType::kComplex64: return alignof(float);
    case DataType::kComplex128: return alignof(double);
    default: return static_cast<size_t>(std::max(1, data_type_bits(dtype) / 8));
  }
}

}  // namespace

Result<Tensor> Tensor::allocate(DataType dtype, Shape shape, size_t alignment_bytes) {
  if (dtype == DataType::kUndefined) return undefined_dtype();
  if (dtype == DataType::kString) {
    AXLE_ASSIGN_OR_RETURN(const int64_t count, axle::element_count(shape));
    if (count > kMaxStrings) return no_memory(dtype, shape);
    try {
      return from_strings(std::move(shape), std::vector<std::string>(static_cast<size_t>(count)));
    } catch (const std::bad_alloc&) {
      return resource_exhausted_error(fmt::format("no memory for {} strings", count));
    }
  }
  AXLE_ASSIGN_OR_RETURN(const size_t size, dense_size_bytes(dtype, shape));
  const size_t alignment = std::max(alignment_bytes, sizeof(void*));
  if (!std::has_single_bit(alignment)) {
    return invalid_argument_error(fmt::format("an alignment of {} bytes is not a power of two", alignment_bytes));
  }
  const auto padded = checked_round_up(std::max<size_t>(size, 1), alignment);
  void* data = padded ? std::aligned_alloc(alignment, *padded) : nullptr;
  if (data == nullptr) return no_memory(dtype, shape);
  std::memset(data, 0, size);
  return borrow(dtype, std::move(shape), data, size,
                std::shared_ptr<const void>(data, [](const void* bytes) { std::free(const_cast<void*>(bytes)); }));
}

Result<Tensor> Tensor::allocate_shared(DataType dtype, Shape shape) {
  if (dtype == DataType::kUndefined) return undefined_dtype();
  if (dtype == DataType::kString) return invalid_argument_error("strings cannot lie in shared memory");
  AXLE_ASSIGN_OR_RETURN(const size_t size, dense_size_bytes(dtype, shape));
  AXLE_ASSIGN_OR_RETURN(std::shared_ptr<SharedMemory> block, allocate_shared_block(std::max<size_t>(size, 1)));
  std::byte* const data = block->data();
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, borrow(dtype, std::move(shape), data, size, std::move(block)));
  tensor.memory_space_ = MemorySpace::kShared;
  return tensor;
}

Result<Tensor> Tensor::borrow(DataType dtype, Shape shape, void* data, size_t size_bytes,
                              std::shared_ptr<const void> keep_alive) {
  if (dtype == DataType::kUndefined) return undefined_dtype();
  Tensor tensor;
  AXLE_ASSIGN_OR_RETURN(tensor.element_count_, axle::element_count(shape));
  if (dtype != DataType::kString) {
    AXLE_ASSIGN_OR_RETURN(tensor.size_bytes_, dense_size_bytes(dtype, shape));
    if (size_bytes < tensor.size_bytes_) {
      return invalid_argument_error(fmt::format("{} bytes were given for a tensor {} {} of {} bytes", size_bytes,
                                                data_type_name(dtype), format_shape(shape), tensor.size_bytes_));
    }
  }
  if (data == nullptr && tensor.element_count_ > 0) {
    return invalid_argument_error(
        fmt::format("no data was given for a tensor {} {}", data_type_name(dtype), format_shape(shape)));
  }
  if (reinterpret_cast<uintptr_t>(data) % natural_alignment(dtype) != 0) {
    return invalid_argument_error(fmt::format("the data of a tensor {} {} is not aligned to its elements",
                                              data_type_name(dtype), format_shape(shape)))
        .with_hint("copy it to aligned memory first");
  }
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.data_ = data;
  tensor.owner_ = std::move(keep_alive);
  return tensor;
}

Result<Tensor> Tensor::borrow_const(DataType dtype, Shape shape, const void* data, size_t size_bytes,
                                    std::shared_ptr<const void> keep_alive) {
  AXLE_ASSIGN_OR_RETURN(Tensor tensor,
                        borrow(dtype, std::move(shape), const_cast<void*>(data), size_bytes, std::move(keep_alive)));
  tensor.read_only_ = true;
  return tensor;
}

Result<Tensor> Tensor::from_strings(Shape shape, std::vector<std::string> elements) {
  AXLE_ASSIGN_OR_RETURN(const int64_t count, axle::element_count(shape));
  if (static_cast<uint64_t>(count) != elements.size()) {
    return invalid_argument_error(fmt::format("{} strings were given for a tensor {}", elements.size(), format_shape(shape)));
  }
  auto owned = std::make_shared<std::vector<std::string>>(std::move(elements));
  std::string* data = owned->data();
  return borrow(DataType::kString, std::move(shape), data, 0, std::move(owned));
}

std::span<const std::string> Tensor::strings() const noexcept {
  if (dtype_ != DataType::kString) return {};
  return as<std::string>();
}

std::span<std::string> Tensor::mutable_strings() noexcept {
  if (dtype_ != DataType::kString || read_only_) return {};
  return mutable_as<std::string>();
}

Result<Tensor> Tensor::reshaped(Shape shape) const {
  AXLE_ASSIGN_OR_RETURN(const int64_t count, axle::element_count(shape));
  if (!defined()) return undefined_dtype();
  if (count != element_count_) {
    return invalid_argument_error(fmt::format("a tensor {} cannot be seen as {}: {} elements are not {}", format_shape(shape_),
                                              format_shape(shape), element_count_, count));
  }
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

Result<Tensor> Tensor::clone() const {
  if (!defined()) return Tensor();
  if (dtype_ == DataType::kString) {
    try {
      return from_strings(shape_, std::vector<std::string>(strings().begin(), strings().end()));
    } catch (const std::bad_alloc&) {
      return no_memory(dtype_, shape_);
    }
  }
  AXLE_ASSIGN_OR_RETURN(Tensor copy, allocate(dtype_, shape_));
  if (size_bytes_ > 0) std::memcpy(copy.data_, data_, size_bytes_);
  return copy;
}

}  // namespace axle
