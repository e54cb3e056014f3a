// Tensors to Python values.
#include <cstring>
#include <memory>

#include "arrays.h"
#include "dtypes.h"
#include "errors.h"
#include "packing.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

PyArray_Descr* as_descr(const nb::object& dtype) { return reinterpret_cast<PyArray_Descr*>(dtype.ptr()); }

npy_intp* sizes_of(const Shape& shape) { return reinterpret_cast<npy_intp*>(const_cast<int64_t*>(shape.data())); }

nb::object text_array(const Tensor& tensor) {
  nb::object array = new_array(as_descr(numpy_dtype(DataType::kString)), tensor.shape());
  auto** elements = static_cast<PyObject**>(PyArray_DATA(as_array(array.ptr())));
  for (const std::string& text : tensor.strings()) {
    // What is not UTF-8 comes back as surrogates, as in file names, rather than failing the whole call.
    PyObject* element = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
    if (element == nullptr) throw nb::python_error();
    Py_XDECREF(*elements);
    *elements++ = element;
  }
  return array;
}

nb::object unpacked_array(const Tensor& tensor) {
  nb::object array = new_array(as_descr(numpy_dtype(tensor.dtype())), tensor.shape());
  const bool sign = tensor.dtype() == DataType::kInt4 || tensor.dtype() == DataType::kInt2;
  unpack_elements(static_cast<const uint8_t*>(tensor.data()), static_cast<size_t>(tensor.element_count()),
                  data_type_bits(tensor.dtype()), sign, static_cast<uint8_t*>(PyArray_DATA(as_array(array.ptr()))));
  return array;
}

}  // namespace

nb::object new_array(PyArray_Descr* descr, const Shape& shape) {
  Py_INCREF(descr);
  PyObject* array =
      PyArray_NewFromDescr(&PyArray_Type, descr, static_cast<int>(shape.size()), sizes_of(shape), nullptr, nullptr, 0, nullptr);
  if (array == nullptr) throw nb::python_error();
  return nb::steal(array);
}

nb::object copy_to_numpy(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kString) return text_array(tensor);
  if (is_packed(tensor.dtype())) return unpacked_array(tensor);
  nb::object array = new_array(as_descr(numpy_dtype(tensor.dtype())), tensor.shape());
  if (tensor.size_bytes() > 0) std::memcpy(PyArray_DATA(as_array(array.ptr())), tensor.data(), tensor.size_bytes());
  return array;
}

nb::object to_numpy(const Tensor& tensor) {
  if (tensor.dtype() == DataType::kString || is_packed(tensor.dtype()) || tensor.size_bytes() == 0)
    return copy_to_numpy(tensor);
  auto kept = std::make_unique<Tensor>(tensor);
  nb::capsule owner(kept.get(), [](void* held) noexcept { delete static_cast<Tensor*>(held); });
  const Tensor& held = *kept.release();
  nb::object dtype = numpy_dtype(held.dtype());
  const int flags = NPY_ARRAY_CARRAY_RO | (held.read_only() ? 0 : NPY_ARRAY_WRITEABLE);
  PyObject* array = PyArray_NewFromDescr(&PyArray_Type, reinterpret_cast<PyArray_Descr*>(dtype.release().ptr()),
                                         static_cast<int>(held.shape().size()), sizes_of(held.shape()), nullptr,
                                         const_cast<void*>(held.data()), flags, nullptr);
  if (array == nullptr) throw nb::python_error();
  nb::object result = nb::steal(array);
  if (PyArray_SetBaseObject(as_array(array), owner.release().ptr()) < 0) throw nb::python_error();
  return result;
}

nb::dict tensor_dict(std::vector<NamedTensor> tensors) {
  nb::dict all;
  for (NamedTensor& named : tensors) all[nb::str(named.name.data(), named.name.size())] = nb::cast(std::move(named.tensor));
  return all;
}

nb::dict to_numpy_dict(const std::vector<NamedTensor>& tensors) {
  nb::dict arrays;
  for (const NamedTensor& named : tensors) arrays[nb::str(named.name.data(), named.name.size())] = to_numpy(named.tensor);
  return arrays;
}

}  // namespace axle::python
