#include "dtypes.h"

#include <array>
#include <string_view>

#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

struct TypeRow {
  DataType type;
  int number;             // numpy's; -1 = one of ml_dtypes
  const char* attribute;  // in numpy or ml_dtypes
};

constexpr std::array kTypes = {
    TypeRow{DataType::kFloat32, NPY_FLOAT32, "float32"},
    TypeRow{DataType::kUint8, NPY_UINT8, "uint8"},
    TypeRow{DataType::kInt8, NPY_INT8, "int8"},
    TypeRow{DataType::kUint16, NPY_UINT16, "uint16"},
    TypeRow{DataType::kInt16, NPY_INT16, "int16"},
    TypeRow{DataType::kInt32, NPY_INT32, "int32"},
    TypeRow{DataType::kInt64, NPY_INT64, "int64"},
    TypeRow{DataType::kString, NPY_OBJECT, "object_"},
    TypeRow{DataType::kBool, NPY_BOOL, "bool_"},
    TypeRow{DataType::kFloat16, NPY_FLOAT16, "float16"},
    TypeRow{DataType::kFloat64, NPY_FLOAT64, "float64"},
    TypeRow{DataType::kUint32, NPY_UINT32, "uint32"},
    TypeRow{DataType::kUint64, NPY_UINT64, "uint64"},
    TypeRow{DataType::kComplex64, NPY_COMPLEX64, "complex64"},
    TypeRow{DataType::kComplex128, NPY_COMPLEX128, "complex128"},
    TypeRow{DataType::kBfloat16, -1, "bfloat16"},
    TypeRow{DataType::kFloat8E4M3FN, -1, "float8_e4m3fn"},
    TypeRow{DataType::kFloat8E4M3FNUZ, -1, "float8_e4m3fnuz"},
    TypeRow{DataType::kFloat8E5M2, -1, "float8_e5m2"},
    TypeRow{DataType::kFloat8E5M2FNUZ, -1, "float8_e5m2fnuz"},
    TypeRow{DataType::kUint4, -1, "uint4"},
    TypeRow{DataType::kInt4, -1, "int4"},
    TypeRow{DataType::kFloat4E2M1, -1, "float4_e2m1fn"},
    TypeRow{DataType::kFloat8E8M0, -1, "float8_e8m0fnu"},
    TypeRow{DataType::kUint2, -1, "uint2"},
    TypeRow{DataType::kInt2, -1, "int2"},
};

const TypeRow* row_of(DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

nb::object descr_of_number(int number) { return nb::steal(reinterpret_cast<PyObject*>(PyArray_DescrFromType(number))); }

// The dtype objects of ml_dtypes, found once; empty while it is not installed.
nb::object ml_dtype(const TypeRow& row) {
  static std::array<PyObject*, kDataTypeCount> known{};  // never freed: they live as long as numpy
  PyObject*& kept = known[static_cast<size_t>(row.type)];
  if (kept == nullptr) {
    nb::object module = nb::steal(PyImport_ImportModule("ml_dtypes"));
    if (!module.is_valid()) {
      PyErr_Clear();
      return {};
    }
    if (!nb::hasattr(module, row.attribute)) return {};
    PyArray_Descr* descr = nullptr;
    if (PyArray_DescrConverter(nb::object(module.attr(row.attribute)).ptr(), &descr) == 0) throw nb::python_error();
    kept = reinterpret_cast<PyObject*>(descr);
  }
  return nb::borrow(kept);
}

}  // namespace

std::string numpy_name(DataType type) {
  const TypeRow* row = row_of(type);
  if (row == nullptr) return "undefined";
  if (type == DataType::kString) return "object";
  return (row->number >= 0 ? "np." : "ml_dtypes.") + std::string(row->attribute);
}

nb::object numpy_dtype(DataType type) {
  const TypeRow* row = row_of(type);
  if (row == nullptr) raise_status(unimplemented_error("numpy cannot hold tensors of an undefined element type"));
  if (row->number >= 0) return descr_of_number(row->number);
  nb::object descr = ml_dtype(*row);
  if (!descr.is_valid()) {
    raise_status(unavailable_error("numpy alone has no element type " + std::string(data_type_name(type)))
                     .with_hint("pip install ml_dtypes"));
  }
  return descr;
}

int numpy_type_number(DataType type) {
  const TypeRow* row = row_of(type);
  if (row == nullptr || type == DataType::kString || is_packed(type)) return -1;
  if (row->number >= 0) return row->number;
  const nb::object descr = ml_dtype(*row);
  return descr.is_valid() ? reinterpret_cast<PyArray_Descr*>(descr.ptr())->type_num : -1;
}

DataType data_type_of(PyArrayObject* array) {
  const int number = PyArray_TYPE(array);
  if (number == NPY_OBJECT || number == NPY_UNICODE || number == NPY_STRING || number == NPY_VSTRING) return DataType::kString;
  for (const TypeRow& row : kTypes) {
    if (row.number >= 0 && PyArray_EquivTypenums(row.number, number)) return row.type;
  }
  if (number < NPY_USERDEF) return DataType::kUndefined;
  for (const TypeRow& row : kTypes) {
    if (row.number >= 0) continue;
    const nb::object descr = ml_dtype(row);
    if (descr.is_valid() && reinterpret_cast<PyArray_Descr*>(descr.ptr())->type_num == number) return row.type;
  }
  return DataType::kUndefined;
}

}  // namespace axle::python
