#include "axle/engine_packages.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

bool install(const EnginePackages& packages, const nb::object& progress, const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  ProgressBox box(progress);
  watch.tick = [&] { box.deliver(); };
  InstallOptions options;
  options.progress = box.writer();
  options.cancel = watch.token;
  return take(call_watched<bool>(watch, [&] { return install_engine_packages(packages, options); }));
}

}  // namespace

void bind_engine_packages(nb::module_& module) {
  nb::class_<EnginePackages>(module, "EnginePackages", "What an engine needs from its vendor, as a pinned list of packages.")
      .def_ro("engine", &EnginePackages::engine)
      .def_ro("what", &EnginePackages::what, "one line")
      .def_ro("licence", &EnginePackages::licence, "one line: what you agree to by installing")
      .def_ro("list", &EnginePackages::list, "file of packages with digests, as pip reads it")
      .def_ro("folder", &EnginePackages::folder, "where they are or would be")
      .def_ro("installed", &EnginePackages::installed, "exactly that list is");
  module.def(
      "engine_packages", [] { return take(unlocked([] { return engine_packages(); })); },
      "What can be installed, by engine. NotFoundError: axle is not installed whole.");
  module.def(
      "install_engine_packages", &install, nb::arg("packages"), nb::arg("progress").none() = nb::none(),
      nb::arg("cancel").none() = nb::none(),
      nb::sig("def install_engine_packages(packages: EnginePackages, progress: collections.abc.Callable[[str, float], "
              "object] | None = None, cancel: CancelToken | None = None) -> bool"),
      "Download and install with pip, digests checked: seconds to minutes. True when something was installed, False when\n"
      "that very list was already. UnavailableError: no Python or pip, or it failed; CancelledError.");
}

}  // namespace axle::python
