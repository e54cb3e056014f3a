// The tables of axle/status.h that are not exceptions; those are raised by errors.cc and listed in python/axle/errors.py.
#include "axle/status.h"

#include <nanobind/stl/string.h>

#include "bind.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

StatusCode code_named(const std::string& name) {
  const auto code = parse_status_code(name);
  if (!code) check(invalid_argument_error("there is no status code '" + name + "'"));
  return *code;
}

}  // namespace

void bind_status(nb::module_& module) {
  module.def(
      "exit_code_for", [](const std::string& code) { return exit_code_for(code_named(code)); }, nb::arg("code"),
      "The command line's exit code for \"NOT_FOUND\", ... (docs/formats/exit-codes.md).");
  module.def(
      "http_status_for", [](const std::string& code) { return http_status_for(code_named(code)); }, nb::arg("code"),
      "The HTTP status for \"NOT_FOUND\", ...");
}

}  // namespace axle::python
