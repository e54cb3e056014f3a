#include "axle/build_log.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {

void bind_build_log(nb::module_& module) {
  nb::class_<BuildLog>(module, "BuildLog", "What a compiler printed while it made an artefact, or failed to.")
      .def_ro("key_digest", &BuildLog::key_digest)
      .def_prop_ro(
          "key_json", [](const BuildLog& log) { return log.key.to_json(); },
          "Canonical JSON of everything the artefact depends on.")
      .def_ro("key", &BuildLog::key)
      .def_prop_ro("engine", [](const BuildLog& log) { return log.key.engine; })
      .def_ro("failed", &BuildLog::failed, "there is no artefact; message says why")
      .def_ro("unix_s", &BuildLog::unix_s, "when it was built, or failed")
      .def_ro("message", &BuildLog::message)
      .def_ro("kept", &BuildLog::kept, "False: the engine keeps no log")
      .def_prop_ro(
          "text", [](const BuildLog& log) { return nb::bytes(log.text.data(), log.text.size()); }, "As printed, in bytes.");
  module.attr("BUILD_LOG_NAME") = nb::str(kBuildLogName.data(), kBuildLogName.size());
  module.def(
      "build_logs",
      [](const Cache& cache, const CancelToken* cancel) {
        return take(unlocked([&] { return build_logs(cache, cancel == nullptr ? CancelToken::none() : *cancel); }));
      },
      nb::arg("cache"), nb::arg("cancel").none() = nb::none(), "Of every sound artefact and every failed build, newest first.");
}

}  // namespace axle::python
