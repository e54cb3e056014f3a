// Element types and the declarations of inputs and outputs. Tensors themselves are numpy arrays in Python.
#include <nanobind/stl/string.h>

#include "axle/tensor.h"
#include "bind.h"
#include "dtypes.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// int for a known size, str for a symbol, None for an anonymous unknown.
nb::object shape_of(const IoSpec& spec) {
  if (!spec.rank_known) return nb::none();
  nb::list axes;
  for (const Dim& dim : spec.shape) {
    if (dim.is_static()) {
      axes.append(dim.size);
    } else if (dim.symbol.empty()) {
      axes.append(nb::none());
    } else {
      axes.append(dim.symbol);
    }
  }
  return nb::tuple(axes);
}

std::string text_of(const IoSpec& spec) {
  return "<axle.IoSpec " + spec.name + ": " + std::string(data_type_name(spec.dtype)) +
         (spec.rank_known ? format_shape(spec.shape) : "[...]") + (spec.optional ? ", optional>" : ">");
}

}  // namespace

void bind_tensor(nb::module_& module) {
  nb::class_<IoSpec>(module, "IoSpec", "Declaration of one model input or output.")
      .def_ro("name", &IoSpec::name)
      .def_prop_ro(
          "dtype", [](const IoSpec& spec) { return std::string(data_type_name(spec.dtype)); },
          "axle's word for the element type: \"f32\", \"i64\", \"bf16\", \"string\"; \"undefined\" when the format does not "
          "say.")
      .def_prop_ro(
          "numpy_dtype", [](const IoSpec& spec) { return numpy_dtype(spec.dtype); },
          nb::sig("def numpy_dtype(self) -> numpy.dtype"),
          "The dtype that arrays for it must have. UnavailableError when that needs ml_dtypes and it is not installed.")
      .def_prop_ro("shape", &shape_of, nb::sig("def shape(self) -> tuple[int | str | None, ...] | None"),
                   "One entry per axis: a size, a symbol such as \"batch\", or None for an unknown one. None: any rank.")
      .def_ro("rank_known", &IoSpec::rank_known)
      .def_ro("optional", &IoSpec::optional, "The caller may leave it out.")
      .def("__eq__", [](const IoSpec& a, nb::handle b) { return nb::isinstance<IoSpec>(b) && a == nb::cast<const IoSpec&>(b); })
      .def("__repr__", &text_of);
}

}  // namespace axle::python
