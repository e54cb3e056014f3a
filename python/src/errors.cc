#include "errors.h"

#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace axle::python {

void raise_status(const Status& status) {
  nb::dict details;
  for (const auto& [key, value] : status.details()) {
    details[nb::str(key.data(), key.size())] = nb::str(value.data(), value.size());
  }
  const nb::object from_status = nb::module_::import_("axle.errors").attr("from_status");
  const nb::object error = from_status(std::string(status_code_name(status.code())), status.message(), status.hint(), details,
                                       std::string(error_family_name(status.family())), status.vendor_code());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw nb::python_error();
}

}  // namespace axle::python
