// Tensor: a dtype, a shape and bytes in some memory space. A value: copying shares the bytes (reference counted);
// const access is thread-safe, writing through mutable_data() is the caller's to synchronise.
// Element types and their numbers are those of ONNX TensorProto.DataType.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"
#include "axle/status.h"

namespace axle {

enum class DataType : uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};
inline constexpr int kDataTypeCount = 27;

// "f32", "i64", "bf16", "f8e4m3fn", "i4", "string", ...; "undefined" for kUndefined. Never null.
AXLE_API std::string_view data_type_name(DataType type) noexcept;
// Accepts data_type_name's words and numpy's ("float32", "int64", ...).
AXLE_API std::optional<DataType> parse_data_type(std::string_view name) noexcept;
// Bits per element; 0 for kString and kUndefined. 4-bit and 2-bit types are packed, low bits first (ONNX).
AXLE_API int data_type_bits(DataType type) noexcept;
AXLE_API bool is_floating(DataType type) noexcept;  // f64, f32, f16, bf16, f8*, f4*

using Shape = std::vector<int64_t>;  // all >= 0; empty = scalar

// Elements of `shape`; OUT_OF_RANGE when a dimension is negative or the product overflows int64.
AXLE_API Result<int64_t> element_count(std::span<const int64_t> shape);
// Bytes of a dense tensor (strings: element_count * sizeof(std::string) is NOT what this returns: it fails). OUT_OF_RANGE on overflow.
AXLE_API Result<size_t> dense_size_bytes(DataType type, std::span<const int64_t> shape);
// "[2, 3]".
AXLE_API std::string format_shape(std::span<const int64_t> shape);

// One axis of a model's input or output: a size, or unknown with an optional symbol ("batch").
struct Dim {
  int64_t size = -1;   // -1 = not known before the call
  std::string symbol;  // "" = anonymous
  bool is_static() const noexcept { return size >= 0; }
  friend bool operator==(const Dim&, const Dim&) = default;
};
using SymbolicShape = std::vector<Dim>;
// "[batch, 3, 224, ?]".
AXLE_API std::string format_shape(const SymbolicShape& shape);

// Declaration of one model input or output.
struct IoSpec {
  std::string name;
  DataType dtype = DataType::kUndefined;
  SymbolicShape shape;
  bool rank_known = true;  // false: shape is empty and any rank is allowed
  bool optional = false;   // the caller may leave it out
  friend bool operator==(const IoSpec&, const IoSpec&) = default;
};

enum class MemorySpace : uint8_t { kHost = 0, kHostPinned = 1, kShared = 2, kDevice = 3 };

class AXLE_API Tensor {
 public:
  // Undefined dtype, no data.
  Tensor() noexcept = default;

  // Owned, zero-filled, aligned host memory. RESOURCE_EXHAUSTED when it cannot be had, OUT_OF_RANGE on overflow,
  // INVALID_ARGUMENT for kUndefined. Works for kString (elements are empty strings).
  static Result<Tensor> allocate(DataType dtype, Shape shape, size_t alignment_bytes = 64);
  // As allocate, in memory that an engine in a process of its own sees too: nothing is copied when it is bound. Whole pages
  // and a file descriptor each: for tensors that are bound and kept. INVALID_ARGUMENT for kString.
  static Result<Tensor> allocate_shared(DataType dtype, Shape shape);
  // A view of the caller's bytes. `keep_alive` is released with the last copy. INVALID_ARGUMENT when size_bytes is
  // less than the dense size. For kString `data` points at element_count std::string objects.
  static Result<Tensor> borrow(DataType dtype, Shape shape, void* data, size_t size_bytes,
                               std::shared_ptr<const void> keep_alive = nullptr);
  // As borrow, but mutable_data() is refused (returns nullptr).
  static Result<Tensor> borrow_const(DataType dtype, Shape shape, const void* data, size_t size_bytes,
                                     std::shared_ptr<const void> keep_alive = nullptr);
  static Result<Tensor> from_strings(Shape shape, std::vector<std::string> elements);

  DataType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int64_t element_count() const noexcept { return element_count_; }
  size_t size_bytes() const noexcept { return size_bytes_; }  // dense bytes; 0 for strings
  MemorySpace memory_space() const noexcept { return memory_space_; }
  bool defined() const noexcept { return dtype_ != DataType::kUndefined; }
  bool read_only() const noexcept { return read_only_; }

  // Dense, row-major, never strided. Null only for zero-size or undefined tensors. Valid while any copy lives.
  const void* data() const noexcept { return data_; }
  void* mutable_data() noexcept { return read_only_ ? nullptr : data_; }
  std::span<const std::byte> bytes() const noexcept { return {static_cast<const std::byte*>(data_), size_bytes_}; }
  // Strings of a kString tensor; empty span otherwise.
  std::span<const std::string> strings() const noexcept;
  std::span<std::string> mutable_strings() noexcept;
  template <typename T>
  std::span<const T> as() const noexcept {
    return {static_cast<const T*>(data_), static_cast<size_t>(element_count_)};
  }
  template <typename T>
  std::span<T> mutable_as() noexcept {
    return {static_cast<T*>(mutable_data()), static_cast<size_t>(element_count_)};
  }

  // Same bytes seen with another shape of equal element count; INVALID_ARGUMENT otherwise.
  Result<Tensor> reshaped(Shape shape) const;
  // A deep copy in owned memory.
  Result<Tensor> clone() const;
  // Whoever owns the bytes; used to extend a borrow.
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

 private:
  DataType dtype_ = DataType::kUndefined;
  MemorySpace memory_space_ = MemorySpace::kHost;
  bool read_only_ = false;
  Shape shape_;
  int64_t element_count_ = 0;
  size_t size_bytes_ = 0;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// NumPy's .npy and .npz (numpy/lib/format.py, versions 1-3; zip stored or deflated). Bounded and strict.
// NOT_FOUND, INVALID_ARGUMENT (place in the file named), DATA_LOSS (truncated). Fortran order is transposed on read.
AXLE_API Result<Tensor> load_npy(const std::string& path);
AXLE_API Result<std::vector<NamedTensor>> load_npz(const std::string& path);
// Atomic: the file is complete or absent. bf16, f8 and 4-bit types are written as raw void/uint bytes, as ml_dtypes does.
AXLE_API Status save_npy(const std::string& path, const Tensor& tensor);
AXLE_API Status save_npz(const std::string& path, std::span<const NamedTensor> tensors);
// numpy files cannot name 8-bit floats and packed types: they load as u8, one element per byte. This gives such a tensor
// the type its reader expects; the same type is returned as it is. INVALID_ARGUMENT for any other pair.
AXLE_API Result<Tensor> raw_as(const Tensor& raw, DataType dtype);

}  // namespace axle
