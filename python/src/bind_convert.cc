#include "axle/convert.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "bind.h"
#include "errors.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

Model convert(const std::shared_ptr<Runtime>& runtime, const Model& model, nb::handle samples, const nb::object& progress,
              const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  ProgressBox box(progress);
  watch.tick = [&] { box.deliver(); };
  ConvertOptions options;
  options.samples = to_named_tensors(samples, model.inputs());
  options.progress = box.writer();
  options.cancel = watch.token;
  return take(call_watched<Model>(watch, [&] { return convert_model(*runtime, model, options); }));
}

}  // namespace

void bind_convert(nb::module_& module) {
  module.def(
      "needs_conversion",
      [](const std::string& name) {
        const auto format = parse_model_format(name);
        if (!format) check(invalid_argument_error("there is no model format '" + name + "'"));
        return needs_conversion(*format);
      },
      nb::arg("format"), "Whether models of this format (Model.format) run only once they were converted.");
  module.def("convert_on", &convert, nb::arg("runtime"), nb::arg("model"), nb::arg("samples").none() = nb::none(),
             nb::arg("progress").none() = nb::none(), nb::arg("cancel").none() = nb::none(),
             nb::sig("def convert_on(runtime: Runtime, model: Model, samples: collections.abc.Mapping[str, object] | None = "
                     "None, progress: collections.abc.Callable[[str, float], object] | None = None, cancel: CancelToken | None "
                     "= None) -> Model"),
             "See axle.convert_model.");
}

}  // namespace axle::python
