#define AXLE_DEFINES_NUMPY_API
#include "numpy_api.h"

#include <nanobind/nanobind.h>

namespace axle::python {

void import_numpy() {
  if (PyArray_ImportNumPyAPI() < 0) throw nanobind::python_error();
}

}  // namespace axle::python
