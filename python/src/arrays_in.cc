// Python values to tensors.
#include <nanobind/stl/string.h>

#include <cstring>
#include <memory>
#include <string>

#include "arrays.h"
#include "dlpack_in.h"
#include "dtypes.h"
#include "errors.h"
#include "packing.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

constexpr int kBorrowable = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;

struct Subject {
  std::string_view name;
  std::string_view what;
  std::string text() const { return std::string(what) + " '" + std::string(name) + "'"; }
};

Shape shape_of(PyArrayObject* array) {
  const npy_intp* sizes = PyArray_DIMS(array);
  return Shape(sizes, sizes + PyArray_NDIM(array));
}

std::string dtype_text(PyArrayObject* array) {
  return nb::cast<std::string>(nb::str(nb::handle(reinterpret_cast<PyObject*>(PyArray_DESCR(array)))));
}

[[noreturn]] void refuse_dtype(const Subject& subject, const std::string& given, DataType wanted, const std::string& cast) {
  raise_status(
      invalid_argument_error(subject.text() + " is " + given + ", the model wants " + std::string(data_type_name(wanted)))
          .with_hint("cast it: " + cast));
}

[[noreturn]] void refuse_kind(const Subject& subject, nb::handle value, DataType wanted) {
  const std::string dtype = wanted == DataType::kUndefined ? "" : ", dtype=" + numpy_name(wanted);
  raise_status(invalid_argument_error(subject.text() + " is a " + nb::cast<std::string>(nb::str(value.type())) +
                                      ", which has no array in it")
                   .with_hint("np.asarray(x" + dtype + ")"));
}

std::string text_of(PyObject* element, const Subject& subject) {
  if (PyUnicode_Check(element)) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(element, &size);
    if (data == nullptr) throw nb::python_error();
    return {data, static_cast<size_t>(size)};
  }
  if (PyBytes_Check(element)) return {PyBytes_AS_STRING(element), static_cast<size_t>(PyBytes_GET_SIZE(element))};
  raise_status(invalid_argument_error(subject.text() + " holds a " +
                                      nb::cast<std::string>(nb::str(nb::handle(element).type())) + " where text is wanted")
                   .with_hint("str or bytes; or x.astype(str)"));
}

Tensor text_tensor(PyArrayObject* array, const Subject& subject) {
  const nb::object iterator = nb::steal(PyArray_IterNew(reinterpret_cast<PyObject*>(array)));
  if (!iterator.is_valid()) throw nb::python_error();
  std::vector<std::string> elements;
  elements.reserve(static_cast<size_t>(PyArray_SIZE(array)));
  auto* at = reinterpret_cast<PyArrayIterObject*>(iterator.ptr());
  while (PyArray_ITER_NOTDONE(at)) {
    const nb::object element = nb::steal(PyArray_GETITEM(array, static_cast<const char*>(PyArray_ITER_DATA(at))));
    if (!element.is_valid()) throw nb::python_error();
    elements.push_back(text_of(element.ptr(), subject));
    PyArray_ITER_NEXT(at);
  }
  return take(Tensor::from_strings(shape_of(array), std::move(elements)));
}

Tensor packed_tensor(PyArrayObject* array, DataType type) {
  Tensor tensor = take(Tensor::allocate(type, shape_of(array)));
  pack_elements(static_cast<const uint8_t*>(PyArray_DATA(array)), static_cast<size_t>(PyArray_SIZE(array)),
                data_type_bits(type), static_cast<uint8_t*>(tensor.mutable_data()));
  return tensor;
}

bool is_borrowable(PyArrayObject* array) {
  return PyArray_CHKFLAGS(array, kBorrowable) && PyArray_ISNBO(PyArray_DESCR(array)->byteorder);
}

Converted from_array(nb::object object, DataType wanted, const Subject& subject) {
  PyArrayObject* array = as_array(object.ptr());
  const DataType type = data_type_of(array);
  if (type == DataType::kUndefined || (wanted != DataType::kUndefined && type != wanted)) {
    const DataType cast = wanted == DataType::kUndefined ? DataType::kFloat32 : wanted;
    refuse_dtype(subject, dtype_text(array), cast, "x.astype(" + (cast == DataType::kString ? "str" : numpy_name(cast)) + ")");
  }
  if (type == DataType::kString) return {text_tensor(array, subject), {}, false};
  bool copied = false;
  if (!is_borrowable(array)) {
    // Native byte order, aligned, C order.
    PyArray_Descr* native = PyArray_DescrNewByteorder(PyArray_DESCR(array), NPY_NATIVE);
    if (native == nullptr) throw nb::python_error();
    object = nb::steal(PyArray_FromArray(array, native, kBorrowable | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_NOTSWAPPED));
    if (!object.is_valid()) throw nb::python_error();
    array = as_array(object.ptr());
    copied = true;
  }
  if (is_packed(type)) return {packed_tensor(array, type), {}, copied};
  Tensor tensor =
      take(Tensor::borrow_const(type, shape_of(array), PyArray_DATA(array), static_cast<size_t>(PyArray_NBYTES(array))));
  return {std::move(tensor), std::move(object), copied};
}

// Not numpy's own: what can be seen as an array without touching its elements.
nb::object as_numpy(nb::handle value) {
  if (PyArray_CheckScalar(value.ptr())) return nb::steal(PyArray_FromScalar(value.ptr(), nullptr));
  if (PyObject_CheckBuffer(value.ptr())) {
    const nb::object view = nb::steal(PyMemoryView_FromObject(value.ptr()));
    if (view.is_valid()) return nb::steal(PyArray_FromAny(view.ptr(), nullptr, 0, 0, 0, nullptr));
  }
  return {};
}

void require_type(DataType given, DataType wanted, const Subject& subject) {
  if (wanted == DataType::kUndefined || given == wanted) return;
  refuse_dtype(subject, std::string(data_type_name(given)), wanted,
               "to " + std::string(data_type_name(wanted)) + ", for torch: x.to(" + torch_name(wanted) + ")");
}

// One of ours shares its bytes by itself.
Converted from_own(const Tensor& tensor, DataType wanted, const Subject& subject) {
  require_type(tensor.dtype(), wanted, subject);
  return {tensor, {}, false};
}

}  // namespace

Converted to_tensor(nb::handle value, DataType wanted, std::string_view name, std::string_view what) {
  const Subject subject{name, what};
  if (PyArray_Check(value.ptr())) return from_array(nb::borrow(value), wanted, subject);
  if (nb::isinstance<Tensor>(value)) return from_own(nb::cast<const Tensor&>(value), wanted, subject);
  if (has_dlpack(value) && !PyArray_CheckScalar(value.ptr())) {
    Converted converted = from_dlpack_object(value, subject.text());
    require_type(converted.tensor.dtype(), wanted, subject);
    return converted;
  }
  nb::object array = as_numpy(value);
  if (!array.is_valid()) {
    if (PyErr_Occurred() != nullptr) PyErr_Clear();
    refuse_kind(subject, value, wanted);
  }
  return from_array(std::move(array), wanted, subject);
}

Converted to_writable_tensor(nb::handle value, DataType wanted, std::string_view name) {
  const Subject subject{name, "output"};
  if (PyArray_Check(value.ptr())) {
    PyArrayObject* array = as_array(value.ptr());
    if (!is_borrowable(array) || !PyArray_ISWRITEABLE(array)) {
      raise_status(invalid_argument_error("the array for " + subject.text() + " is not contiguous, aligned and writable")
                       .with_hint("np.empty(shape, dtype) makes one that is"));
    }
  } else if (!has_dlpack(value)) {
    refuse_kind(subject, value, wanted);
  }
  Converted converted = to_tensor(value, wanted, name, "output");
  if (nb::isinstance<Tensor>(value) && !converted.tensor.read_only()) return converted;  // packed as the engine writes it
  if (converted.copied || is_packed(converted.tensor.dtype()) || converted.tensor.dtype() == DataType::kString) {
    raise_status(invalid_argument_error("the array for " + subject.text() + " cannot be written in place"));
  }
  if (PyArray_Check(value.ptr())) {
    const Tensor& seen = converted.tensor;
    converted.tensor = take(Tensor::borrow(seen.dtype(), seen.shape(), const_cast<void*>(seen.data()), seen.size_bytes()));
  } else if (converted.tensor.read_only()) {
    raise_status(invalid_argument_error("the array for " + subject.text() + " is read-only"));
  }
  return converted;
}

Tensor keeping(Converted converted) {
  if (!converted.hold.is_valid()) return std::move(converted.tensor);
  const std::shared_ptr<const void> owner(converted.hold.release().ptr(), [](const void* held) {
    // At exit there is no interpreter left to give it back to.
    if (Py_IsInitialized() == 0) return;
    const PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF(static_cast<PyObject*>(const_cast<void*>(held)));
    PyGILState_Release(state);
  });
  const Tensor& seen = converted.tensor;
  if (seen.read_only()) return take(Tensor::borrow_const(seen.dtype(), seen.shape(), seen.data(), seen.size_bytes(), owner));
  return take(Tensor::borrow(seen.dtype(), seen.shape(), const_cast<void*>(seen.data()), seen.size_bytes(), owner));
}

void warn_of_copy(const std::string& text) {
  const nb::object category = nb::module_::import_("axle.errors").attr("CopyWarning");
  if (PyErr_WarnEx(category.ptr(), text.c_str(), 1) < 0) throw nb::python_error();
}

nb::dict as_dict(nb::handle mapping) {
  if (!nb::hasattr(mapping, "keys")) throw nb::type_error("inputs are given as a mapping {name: array}");
  PyObject* copy = PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyDict_Type), mapping.ptr());
  if (copy == nullptr) throw nb::python_error();
  return nb::steal<nb::dict>(copy);
}

std::string name_of(nb::handle key, std::string_view what) {
  if (!PyUnicode_Check(key.ptr())) throw nb::type_error((std::string(what) + " are named by str").c_str());
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(key.ptr(), &size);
  if (text == nullptr) throw nb::python_error();
  return {text, static_cast<size_t>(size)};
}

std::vector<NamedTensor> to_named_tensors(nb::handle mapping, const std::vector<IoSpec>& specs) {
  std::vector<NamedTensor> tensors;
  if (!mapping.is_valid() || mapping.is_none()) return tensors;
  const nb::dict entries = as_dict(mapping);
  for (const auto& [key, value] : entries) {
    NamedTensor named{name_of(key), {}};
    DataType wanted = DataType::kUndefined;
    for (const IoSpec& spec : specs) {
      if (spec.name == named.name) wanted = spec.dtype;
    }
    Converted converted = to_tensor(value, wanted, named.name);
    if (converted.copied) warn_of_copy("sample '" + named.name + "' is strided, misaligned or byte-swapped: it was copied");
    named.tensor = keeping(std::move(converted));
    tensors.push_back(std::move(named));
  }
  return tensors;
}

}  // namespace axle::python
