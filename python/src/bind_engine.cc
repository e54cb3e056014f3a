#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "axle/engine.h"
#include "bind.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

const char* option_type_name(OptionType type) {
  switch (type) {
    case OptionType::kBoolean: return "boolean";
    case OptionType::kInteger: return "integer";
    case OptionType::kNumber: return "number";
    case OptionType::kText: return "text";
    case OptionType::kChoice: return "choice";
  }
  return "text";
}

void bind_capability(nb::module_& module) {
  nb::class_<PrecisionSpec>(module, "PrecisionSpec", "A precision that an engine computes in on a resource.")
      .def_ro("name", &PrecisionSpec::name)
      .def_ro("accumulates", &PrecisionSpec::accumulates, "\"\" = not known")
      .def_ro("native", &PrecisionSpec::native, "False: emulated or converted on this resource");
  nb::class_<OptionSpec>(module, "OptionSpec", "An option that an engine declares.")
      .def_ro("name", &OptionSpec::name)
      .def_prop_ro(
          "type", [](const OptionSpec& option) { return option_type_name(option.type); },
          "\"boolean\", \"integer\", \"number\", \"text\" or \"choice\"")
      .def_ro("default_value", &OptionSpec::default_value)
      .def_ro("affects_numerics", &OptionSpec::affects_numerics)
      .def_ro("affects_speed", &OptionSpec::affects_speed)
      .def_ro("affects_memory", &OptionSpec::affects_memory)
      .def_ro("choices", &OptionSpec::choices)
      .def_ro("minimum", &OptionSpec::minimum)
      .def_ro("maximum", &OptionSpec::maximum)
      .def_ro("description", &OptionSpec::description);
  nb::class_<Preset>(module, "Preset", "A named set of options.")
      .def_ro("name", &Preset::name)
      .def_ro("options", &Preset::options)
      .def_ro("description", &Preset::description);
  nb::class_<Capability>(module, "Capability", "What an engine can do on a resource.")
      .def_ro("formats", &Capability::formats)
      .def_ro("precisions", &Capability::precisions)
      .def_ro("needs_compile", &Capability::needs_compile)
      .def_ro("can_compile", &Capability::can_compile)
      .def_ro("options", &Capability::options)
      .def_ro("presets", &Capability::presets)
      .def_ro("limits", &Capability::limits);
}

}  // namespace

void bind_engine(nb::module_& module) {
  bind_capability(module);
  nb::class_<EngineLibrary>(module, "EngineLibrary", "The vendor's library behind an engine.")
      .def_ro("path", &EngineLibrary::path)
      .def_ro("version", &EngineLibrary::version, "exactly as the library reports it")
      .def_ro("build", &EngineLibrary::build)
      .def_ro("copies", &EngineLibrary::copies, "other copies of the same library in this process");
  nb::class_<EngineInfo>(module, "EngineInfo", "What an engine says of itself.")
      .def_ro("name", &EngineInfo::name)
      .def_ro("vendor", &EngineInfo::vendor)
      .def_ro("plugin_version", &EngineInfo::plugin_version)
      .def_ro("description", &EngineInfo::description)
      .def_ro("abi_version", &EngineInfo::abi_version)
      .def_ro("library", &EngineInfo::library, "None until the vendor's library has been opened")
      .def_ro("closed", &EngineInfo::closed, "the vendor's source is not public")
      .def_ro("deterministic", &EngineInfo::deterministic)
      .def_ro("search", &EngineInfo::search, "places where the library was looked for");
  nb::class_<EngineState>(module, "EngineState", "One known engine, usable or not.")
      .def_ro("name", &EngineState::name)
      .def_ro("plugin_path", &EngineState::plugin_path, "\"\" = registered in-process")
      .def_ro("description_path", &EngineState::description_path, "the engine description it is made of; \"\" = a plugin")
      .def_ro("present", &EngineState::present)
      .def_ro("reason", &EngineState::reason, "why it is absent")
      .def_ro("install_command", &EngineState::install_command)
      .def_ro("info", &EngineState::info)
      .def_ro("library_digest", &EngineState::library_digest)
      .def_ro("plugin_file_digest", &EngineState::plugin_file_digest)
      .def_ro("library_file_digest", &EngineState::library_file_digest)
      .def_prop_ro(
          "resources",
          [](const EngineState& state) {
            std::vector<Resource> resources;
            for (const EngineResource& resource : state.resources) resources.push_back(resource.resource);
            return resources;
          },
          "Resources that it reaches, by the machine's ids.")
      .def_ro("capabilities", &EngineState::capabilities, "by resource id")
      .def_ro("notes", &EngineState::notes)
      .def("__repr__", [](const EngineState& state) {
        const std::string version = state.info.library ? " " + state.info.library->version : "";
        return "<axle.EngineState " + state.name + version + (state.present ? ">" : ", absent>");
      });
}

}  // namespace axle::python
