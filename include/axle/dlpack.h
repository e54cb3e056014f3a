// DLPack 1 (https://dmlc.github.io/dlpack): tensors exchanged with other frameworks without copying, both ways.
// The structures have the layout of dlpack.h 1.1; they have our names so that both headers can be included together, and
// a pointer to one may be reinterpret_cast to the other. Host memory only; strided tensors are refused.
#pragma once

#include <cstdint>

#include "axle/export.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle::dlpack {

struct Device {
  int32_t type = 1;  // 1 = host, 3 = host memory pinned for CUDA; others are refused
  int32_t id = 0;
};

struct ElementType {
  uint8_t code = 0;
  uint8_t bits = 0;
  uint16_t lanes = 1;
};

struct View {
  void* data = nullptr;
  Device device;
  int32_t rank = 0;
  ElementType dtype;
  int64_t* shape = nullptr;
  int64_t* strides = nullptr;  // in elements; null = dense and row-major
  uint64_t byte_offset = 0;
};

struct ManagedTensor {
  View view;
  void* context = nullptr;
  void (*deleter)(ManagedTensor* self) = nullptr;
};

struct Version {
  uint32_t major = 1;
  uint32_t minor = 1;
};

inline constexpr uint64_t kReadOnly = 1;
inline constexpr uint64_t kIsCopied = 2;
inline constexpr uint64_t kSubBytePadded = 4;  // elements of less than a byte stand in a byte each

struct ManagedTensorVersioned {
  Version version;
  void* context = nullptr;
  void (*deleter)(ManagedTensorVersioned* self) = nullptr;
  uint64_t flags = 0;
  View view;
};

// The tensor's bytes, shared; they live until the receiver calls `deleter`. The caller owns the result.
// INVALID_ARGUMENT for strings and undefined tensors; FAILED_PRECONDITION when the tensor is read-only, which the
// unversioned structure cannot say.
AXLE_API Result<ManagedTensor*> to_dlpack(const Tensor& tensor);
AXLE_API Result<ManagedTensorVersioned*> to_dlpack_versioned(const Tensor& tensor);

// A tensor over the producer's bytes; its deleter is called with the last copy. Takes `managed` on success only.
// INVALID_ARGUMENT for strided, malformed or misaligned tensors; UNIMPLEMENTED for memory of other devices, vector lanes,
// element types that ONNX lacks, and other major versions.
AXLE_API Result<Tensor> from_dlpack(ManagedTensor* managed);
AXLE_API Result<Tensor> from_dlpack(ManagedTensorVersioned* managed);

}  // namespace axle::dlpack
