// numpy's C API, imported once (import_numpy). Calls need the GIL.
#pragma once

#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_25_API_VERSION
#define NPY_TARGET_VERSION NPY_1_25_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL axle_numpy_api
#ifndef AXLE_DEFINES_NUMPY_API
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <cstdint>

static_assert(sizeof(npy_intp) == sizeof(int64_t), "axle's Python module wants a 64-bit machine");

namespace axle::python {

// Throws ImportError when numpy is missing or too old.
void import_numpy();

inline PyArrayObject* as_array(PyObject* object) noexcept { return reinterpret_cast<PyArrayObject*>(object); }

}  // namespace axle::python
