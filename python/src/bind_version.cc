#include <nanobind/stl/string.h>

#include "axle/version.h"
#include "bind.h"

namespace nb = nanobind;

namespace axle::python {

void bind_version(nb::module_& module) {
  nb::class_<BuildInfo>(module, "BuildInfo", "What this build of axle is.")
      .def_ro("version", &BuildInfo::version, "\"0.1.0\"")
      .def_ro("git_revision", &BuildInfo::git_revision, "short hash; \"+\" when the tree had changes; \"\" outside a checkout")
      .def_ro("engine_abi", &BuildInfo::engine_abi, "version of the engine ABI")
      .def_ro("compiler", &BuildInfo::compiler)
      .def_ro("build_type", &BuildInfo::build_type)
      .def_ro("sanitizers", &BuildInfo::sanitizers, "\"\" or \"address,undefined\"")
      .def("__repr__", [](const BuildInfo& info) {
        return "<axle " + info.version + " " + info.git_revision + ", engine ABI " + std::to_string(info.engine_abi) + ">";
      });
  module.def("build_info", &build_info, "What this build of axle is.");
}

}  // namespace axle::python
