#include "axle/compile.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

std::vector<CompiledPart> compile(const std::shared_ptr<Runtime>& runtime, const Model& model, const Plan& plan,
                                  const Machine* machine, const nb::object& progress, const CancelToken* cancel, bool verify) {
  Watch watch = Watch::over(cancel);
  ProgressBox box(progress);
  watch.tick = [&] { box.deliver(); };
  CompileOptions options;
  options.machine = machine;
  options.cancel = watch.token;
  options.progress = box.writer();
  options.verify = verify;
  return take(call_watched<std::vector<CompiledPart>>(watch, [&] { return compile_plan(*runtime, model, plan, options); }));
}

Plan on_engine(const std::shared_ptr<Runtime>& runtime, const Model& model, const std::string& engine,
               const std::string& resource, const std::string& precision, int32_t threads,
               const std::map<std::string, std::string>& options) {
  Watch watch = Watch::over(nullptr);
  return take(call_watched<Plan>(
      watch, [&] { return plan_on_engine(*runtime, model, {engine, resource, precision, threads, options}); }));
}

}  // namespace

void bind_compile(nb::module_& module) {
  nb::class_<CompiledPart>(module, "CompiledPart", "What became of one partition.")
      .def_ro("candidate", &CompiledPart::candidate)
      .def_ro("key_digest", &CompiledPart::key_digest, "of the entry in the cache; \"\" = the engine keeps no artefact")
      .def_ro("cache", &CompiledPart::cache, "\"hit\", \"miss\" (compiled now) or \"none\"")
      .def_ro("size_bytes", &CompiledPart::size_bytes)
      .def_ro("compile_ns", &CompiledPart::compile_ns);
  module.def(
      "compile_plan", &compile, nb::arg("runtime"), nb::arg("model"), nb::arg("plan"), nb::arg("machine").none() = nb::none(),
      nb::arg("progress").none() = nb::none(), nb::arg("cancel").none() = nb::none(), nb::arg("verify") = false,
      nb::sig("def compile_plan(runtime: Runtime, model: Model, plan: Plan, machine: Machine | None = None, progress: "
              "collections.abc.Callable[[str, float], object] | None = None, cancel: CancelToken | None = None, verify: bool = "
              "False) -> "
              "list[CompiledPart]"),
      "Compile a plan's artefacts into the cache and load nothing; for `machine` where the plan was made for another one.\n"
      "verify: hash files instead of trusting their stamps.");
  module.def("plan_on_engine", &on_engine, nb::arg("runtime"), nb::arg("model"), nb::arg("engine"), nb::arg("resource") = "",
             nb::arg("precision") = "f32", nb::arg("threads") = 1, nb::arg("options") = std::map<std::string, std::string>(),
             "The plan of one partition that the caller has decided: nothing else is looked at.");
  module.def(
      "write_artefact_files",
      [](const Cache& cache, const std::string& key_digest, const std::string& folder) {
        return take(unlocked([&] { return write_artefact_files(cache, key_digest, folder); }));
      },
      nb::arg("cache"), nb::arg("key_digest"), nb::arg("folder"),
      "Write an artefact's files, verified, into a folder; their names. NotFoundError, DataLossError.");
}

}  // namespace axle::python
