#include "dlpack_in.h"

#include <nanobind/stl/string.h>

#include <cstring>
#include <vector>

#include "axle/dlpack.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

constexpr const char* kVersioned = "dltensor_versioned";
constexpr const char* kUnversioned = "dltensor";

// What __dlpack__ gave; owns the structure until the capsule dies.
struct Producer {
  nb::object capsule;
  dlpack::View* view = nullptr;
  uint64_t flags = 0;
};

Producer ask(nb::handle value) {
  const nb::object method = value.attr("__dlpack__");
  nb::object capsule;
  try {
    capsule = method(nb::arg("max_version") = nb::make_tuple(1, 1));
  } catch (nb::python_error& error) {
    // Producers from before DLPack 1.0 do not know the argument.
    if (!error.matches(PyExc_TypeError)) throw;
    capsule = method();
  }
  Producer producer{capsule};
  if (void* raw = PyCapsule_GetPointer(capsule.ptr(), kVersioned)) {
    auto* managed = static_cast<dlpack::ManagedTensorVersioned*>(raw);
    if (managed->version.major != 1) {
      raise_status(unimplemented_error("DLPack version " + std::to_string(managed->version.major) + " is not supported"));
    }
    producer.view = &managed->view;
    producer.flags = managed->flags;
    return producer;
  }
  PyErr_Clear();
  void* raw = PyCapsule_GetPointer(capsule.ptr(), kUnversioned);
  if (raw == nullptr) throw nb::python_error();
  producer.view = &static_cast<dlpack::ManagedTensor*>(raw)->view;
  return producer;
}

bool is_dense(const dlpack::View& view) {
  if (view.strides == nullptr) return true;
  int64_t expected = 1;
  for (int32_t axis = view.rank; axis-- > 0;) {
    if (view.shape[axis] == 0) return true;
    if (view.shape[axis] != 1 && view.strides[axis] != expected) return false;
    expected *= view.shape[axis];
  }
  return true;
}

// Bytes of a strided view in row-major order.
Tensor dense_copy(const dlpack::View& view, DataType type) {
  const int bits = data_type_bits(type);
  if (bits % 8 != 0) {
    raise_status(
        unimplemented_error("a strided DLPack tensor of " + std::string(data_type_name(type)) + ", several elements to a byte")
            .with_hint("make it contiguous first"));
  }
  Tensor tensor = take(Tensor::allocate(type, Shape(view.shape, view.shape + view.rank)));
  const auto size = static_cast<size_t>(bits / 8);
  const auto* base = static_cast<const std::byte*>(view.data) + view.byte_offset;
  auto* to = static_cast<std::byte*>(tensor.mutable_data());
  std::vector<int64_t> at(static_cast<size_t>(view.rank), 0);
  for (int64_t i = 0; i < tensor.element_count(); ++i, to += size) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] * view.strides[axis];
    std::memcpy(to, base + offset * static_cast<int64_t>(size), size);
    for (size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < view.shape[axis]) break;
      at[axis] = 0;
    }
  }
  return tensor;
}

// Judges device, element type and size as axle does for every DLPack tensor; a strided one by its shape alone.
DataType checked_type(dlpack::View view, uint64_t flags, bool dense) {
  if (!dense) view.strides = nullptr;
  dlpack::ManagedTensorVersioned managed;
  managed.flags = flags;
  managed.view = view;
  const Tensor seen = take(dlpack::from_dlpack(&managed));  // ends before `managed`
  return seen.dtype();
}

// A producer's own refusal, such as torch's of a tensor that requires a gradient. Axle's own errors say what to do already.
bool is_refusal(const nb::python_error& error) {
  const nb::handle type = error.type();
  return type.is(PyExc_BufferError) || type.is(PyExc_RuntimeError) || type.is(PyExc_ValueError);
}

Converted import_object(nb::handle value, const std::string& subject) {
  if (nb::hasattr(value, "__dlpack_device__")) {
    const nb::object device = value.attr("__dlpack_device__")();
    const int type = nb::cast<int>(device[0]);
    if (type != 1 && type != 3) {
      raise_status(
          invalid_argument_error(subject + " is in the memory of another device (DLPack type " + std::to_string(type) + ")")
              .with_hint("copy it to host memory first; for torch: x.cpu()"));
    }
  }
  const Producer producer = ask(value);
  const bool dense = is_dense(*producer.view);
  const dlpack::View& view = *producer.view;
  const DataType type = checked_type(view, producer.flags, dense);
  if (!dense) return {dense_copy(view, type), {}, true};
  Shape shape(view.shape, view.shape + view.rank);
  const size_t size = take(dense_size_bytes(type, shape));
  auto* data = view.data == nullptr ? nullptr : static_cast<std::byte*>(view.data) + view.byte_offset;
  const bool read_only = (producer.flags & dlpack::kReadOnly) != 0;
  Tensor tensor = take(read_only ? Tensor::borrow_const(type, std::move(shape), data, size)
                                 : Tensor::borrow(type, std::move(shape), data, size));
  return {std::move(tensor), producer.capsule, false};
}

}  // namespace

bool has_dlpack(nb::handle value) { return nb::hasattr(value, "__dlpack__"); }

Converted from_dlpack_object(nb::handle value, const std::string& subject) {
  try {
    return import_object(value, subject);
  } catch (const nb::python_error& error) {
    if (!is_refusal(error)) throw;
    raise_status(invalid_argument_error(subject + " cannot be exported: " + nb::cast<std::string>(nb::str(error.value()))));
  }
}

std::string torch_name(DataType type) {
  switch (type) {
    case DataType::kFloat8E4M3FN: return "torch.float8_e4m3fn";
    case DataType::kFloat8E5M2: return "torch.float8_e5m2";
    case DataType::kBfloat16: return "torch.bfloat16";
    case DataType::kFloat16: return "torch.float16";
    case DataType::kFloat32: return "torch.float32";
    case DataType::kFloat64: return "torch.float64";
    case DataType::kBool: return "torch.bool";
    case DataType::kUint8: return "torch.uint8";
    case DataType::kInt8: return "torch.int8";
    case DataType::kInt16: return "torch.int16";
    case DataType::kInt32: return "torch.int32";
    case DataType::kInt64: return "torch.int64";
    default: return std::string(data_type_name(type));
  }
}

}  // namespace axle::python
