#include "axle/dlpack.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace axle::dlpack {
namespace {

constexpr int32_t kHostDevice = 1;
constexpr int32_t kCudaHostDevice = 3;
constexpr int32_t kMaxRank = 64;

struct TypeRow {
  DataType type;
  uint8_t code;
};

// The type codes of dlpack.h (DLDataTypeCode); the bits are those of the element type.
constexpr std::array<TypeRow, 25> kTypes = {{
    {DataType::kInt8, 0},
    {DataType::kInt16, 0},
    {DataType::kInt32, 0},
    {DataType::kInt64, 0},
    {DataType::kInt4, 0},
    {DataType::kInt2, 0},
    {DataType::kUint8, 1},
    {DataType::kUint16, 1},
    {DataType::kUint32, 1},
    {DataType::kUint64, 1},
    {DataType::kUint4, 1},
    {DataType::kUint2, 1},
    {DataType::kFloat16, 2},
    {DataType::kFloat32, 2},
    {DataType::kFloat64, 2},
    {DataType::kBfloat16, 4},
    {DataType::kComplex64, 5},
    {DataType::kComplex128, 5},
    {DataType::kBool, 6},
    {DataType::kFloat8E4M3FN, 10},
    {DataType::kFloat8E4M3FNUZ, 11},
    {DataType::kFloat8E5M2, 12},
    {DataType::kFloat8E5M2FNUZ, 13},
    {DataType::kFloat8E8M0, 14},
    {DataType::kFloat4E2M1, 17},
}};

Result<ElementType> element_type_of(DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return ElementType{row.code, static_cast<uint8_t>(data_type_bits(type)), 1};
  }
  return invalid_argument_error(fmt::format("DLPack has no element type for {}", data_type_name(type)));
}

Result<DataType> data_type_of(const ElementType& element) {
  for (const TypeRow& row : kTypes) {
    if (element.lanes == 1 && row.code == element.code && data_type_bits(row.type) == element.bits) return row.type;
  }
  return unimplemented_error(fmt::format("DLPack elements of code {}, {} bits and {} lanes are not supported", element.code,
                                         element.bits, element.lanes));
}

std::string device_name(int32_t type) {
  switch (type) {
    case 2: return "CUDA";
    case 4: return "OpenCL";
    case 7: return "Vulkan";
    case 8: return "Metal";
    case 10: return "ROCm";
    case 13: return "CUDA managed memory";
    case 14: return "oneAPI";
    default: return fmt::format("DLPack type {}", type);
  }
}

// What an exported structure points to.
template <typename Managed>
struct Export {
  Managed managed;
  Tensor tensor;
  Shape shape;
  Shape strides;
};

Shape dense_strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
  return strides;
}

template <typename Managed>
Result<Managed*> export_tensor(const Tensor& tensor) {
  AXLE_ASSIGN_OR_RETURN(const ElementType element, element_type_of(tensor.dtype()));
  auto* exported = new Export<Managed>{{}, tensor, tensor.shape(), dense_strides(tensor.shape())};
  View& view = exported->managed.view;
  view.data = const_cast<void*>(exported->tensor.data());
  view.rank = static_cast<int32_t>(exported->shape.size());
  view.dtype = element;
  view.shape = exported->shape.data();
  view.strides = exported->strides.data();  // never null: required from DLPack 1.2 on
  exported->managed.context = exported;
  exported->managed.deleter = [](Managed* self) { delete static_cast<Export<Managed>*>(self->context); };
  return &exported->managed;
}

Status check_dense(const View& view, const Shape& shape) {
  if (view.strides == nullptr) return ok_status();
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return ok_status();
  }
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && view.strides[i] != expected) {
      return invalid_argument_error(fmt::format("the DLPack tensor {} is strided: {}", format_shape(shape),
                                                format_shape(std::span(view.strides, shape.size()))))
          .with_hint("make it contiguous first");
    }
    expected *= shape[i];
  }
  return ok_status();
}

// A tensor over the view's bytes; `owner` keeps them.
Result<Tensor> import_view(const View& view, bool read_only, bool padded, std::shared_ptr<const void> owner) {
  if (view.device.type != kHostDevice && view.device.type != kCudaHostDevice) {
    return unimplemented_error(
               fmt::format("the DLPack tensor is in memory of another device ({})", device_name(view.device.type)))
        .with_hint("copy it to host memory first");
  }
  AXLE_ASSIGN_OR_RETURN(const DataType type, data_type_of(view.dtype));
  if (view.rank < 0 || view.rank > kMaxRank || (view.rank > 0 && view.shape == nullptr)) {
    return invalid_argument_error(fmt::format("the DLPack tensor has a malformed rank ({})", view.rank));
  }
  if (padded && view.dtype.bits < 8) {
    return unimplemented_error(fmt::format("padded {} elements are not supported", data_type_name(type)))
        .with_hint("pack them, or hand them over as bytes");
  }
  Shape shape(view.shape, view.shape + view.rank);
  AXLE_ASSIGN_OR_RETURN(const size_t size, dense_size_bytes(type, shape));
  AXLE_RETURN_IF_ERROR(check_dense(view, shape));
  auto* data = static_cast<std::byte*>(view.data);
  if (data != nullptr) data += view.byte_offset;
  return read_only ? Tensor::borrow_const(type, std::move(shape), data, size, std::move(owner))
                   : Tensor::borrow(type, std::move(shape), data, size, std::move(owner));
}

template <typename Managed>
Result<Tensor> import_managed(Managed* managed, bool read_only, bool padded) {
  // Tried without an owner first, so that a refused structure stays the caller's.
  AXLE_RETURN_IF_ERROR(import_view(managed->view, read_only, padded, nullptr));
  std::shared_ptr<const void> owner(static_cast<const void*>(managed), [managed](const void*) {
    if (managed->deleter != nullptr) managed->deleter(managed);
  });
  return import_view(managed->view, read_only, padded, std::move(owner));
}

}  // namespace

Result<ManagedTensor*> to_dlpack(const Tensor& tensor) {
  if (tensor.read_only()) {
    return failed_precondition_error("a read-only tensor cannot be exported through unversioned DLPack")
        .with_hint("ask for DLPack version 1, or clone the tensor");
  }
  return export_tensor<ManagedTensor>(tensor);
}

Result<ManagedTensorVersioned*> to_dlpack_versioned(const Tensor& tensor) {
  AXLE_ASSIGN_OR_RETURN(ManagedTensorVersioned* const managed, export_tensor<ManagedTensorVersioned>(tensor));
  managed->flags = tensor.read_only() ? kReadOnly : 0;
  return managed;
}

Result<Tensor> from_dlpack(ManagedTensor* managed) {
  if (managed == nullptr) return invalid_argument_error("no DLPack tensor was given");
  return import_managed(managed, false, false);
}

Result<Tensor> from_dlpack(ManagedTensorVersioned* managed) {
  if (managed == nullptr) return invalid_argument_error("no DLPack tensor was given");
  if (managed->version.major != 1) {
    return unimplemented_error(
               fmt::format("DLPack version {}.{} is not supported", managed->version.major, managed->version.minor))
        .with_hint("ask the producer for version 1");
  }
  return import_managed(managed, (managed->flags & kReadOnly) != 0, (managed->flags & kSubBytePadded) != 0);
}

}  // namespace axle::dlpack
