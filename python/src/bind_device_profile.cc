#include "axle/device_profile.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

void bind_figures(nb::module_& module) {
  nb::class_<Figure>(module, "Figure", "One figure of a device, with where it comes from.")
      .def_ro("value", &Figure::value, "in the unit of its field; 0 = not known")
      .def_prop_ro(
          "kind", [](const Figure& figure) { return std::string(figure_kind_name(figure.kind)); },
          "\"vendor\", \"measured\" or \"estimate\"")
      .def_ro("source", &Figure::source, "document or page that says so, or how it was estimated")
      .def("__repr__", [](const Figure& figure) {
        return "<axle.Figure " + std::to_string(figure.value) + ", " + std::string(figure_kind_name(figure.kind)) + ">";
      });
  nb::class_<ProfileEngine>(module, "ProfileEngine", "An engine that is known to drive a device, wherever it is installed.")
      .def_ro("name", &ProfileEngine::name)
      .def_ro("precisions", &ProfileEngine::precisions, "in the order it prefers")
      .def_ro("formats", &ProfileEngine::formats, "of models: \"onnx\", ...")
      .def_ro("operators", &ProfileEngine::operators, "of ai.onnx, where it runs only these; empty = not known")
      .def_ro("needs_compile", &ProfileEngine::needs_compile)
      .def_ro("dynamic_shapes", &ProfileEngine::dynamic_shapes)
      .def_ro("source", &ProfileEngine::source);
  nb::class_<BankFigures>(module, "BankFigures", "Memory that computes: banks with a processor beside each.")
      .def_ro("modules", &BankFigures::modules)
      .def_ro("ranks", &BankFigures::ranks)
      .def_ro("count", &BankFigures::count, "banks that compute; 0 = the device is not made so")
      .def_ro("memory", &BankFigures::memory, "bytes of each bank")
      .def_ro("working_memory", &BankFigures::working_memory, "bytes of its processor's scratchpad")
      .def_ro("bandwidth", &BankFigures::bandwidth, "of one processor to its bank: 10^6 bytes per second")
      .def_ro("frequency", &BankFigures::frequency, "10^6 per second")
      .def_ro("to_banks", &BankFigures::to_banks, "from the host: 10^6 bytes per second, all banks together")
      .def_ro("broadcast", &BankFigures::broadcast, "the same bytes to all banks: 10^6 bytes per second that arrive")
      .def_ro("from_banks", &BankFigures::from_banks, "to the host: 10^6 bytes per second");
}

void bind_profile(nb::module_& module) {
  nb::class_<DeviceProfile>(module, "DeviceProfile",
                            "What one model of a device can do by its data sheet, every figure with its source.")
      .def_ro("name", &DeviceProfile::name, "\"nvidia-h100-sxm\"")
      .def_ro("title", &DeviceProfile::title, "as the vendor writes it")
      .def_prop_ro(
          "kind", [](const DeviceProfile& profile) { return std::string(resource_kind_name(profile.kind)); },
          "\"gpu\", \"npu\", ...")
      .def_ro("vendor", &DeviceProfile::vendor)
      .def_ro("pci_ids", &DeviceProfile::pci_ids, "of resources that have this profile")
      .def_ro("names", &DeviceProfile::names, "likewise; may end in '*'")
      .def_ro("cpu_models", &DeviceProfile::cpu_models, "the processor's, where some are listed")
      .def_ro("peaks", &DeviceProfile::peaks, "by precision: 10^6 operations per second, dense")
      .def_ro("memory_bandwidth", &DeviceProfile::memory_bandwidth, "10^6 bytes per second")
      .def_ro("memory_size", &DeviceProfile::memory_size, "bytes")
      .def_ro("link_bandwidth", &DeviceProfile::link_bandwidth, "between host and device: 10^6 bytes per second")
      .def_ro("power", &DeviceProfile::power, "under full load: milliwatts")
      .def_ro("node_launch", &DeviceProfile::node_launch, "nanoseconds per node")
      .def_ro("call_launch", &DeviceProfile::call_launch, "nanoseconds per run")
      .def_ro("banks", &DeviceProfile::banks)
      .def_ro("engines", &DeviceProfile::engines)
      .def(
          "to_json", [](const DeviceProfile& profile) { return take(device_profile_to_json(profile)); },
          "Canonical JSON (docs/formats/device-profile.md).")
      .def_static(
          "parse", [](const std::string& json) { return take(parse_device_profile(json)); }, nb::arg("json"),
          "From JSON, strictly read. InvalidArgumentError names an unknown key's nearest known one.")
      .def("__repr__", [](const DeviceProfile& profile) { return "<axle.DeviceProfile " + profile.name + ">"; });
  nb::class_<ResourceProfile>(module, "ResourceProfile", "A resource of a machine and the profile it has.")
      .def_ro("resource", &ResourceProfile::resource, "id on its machine")
      .def_ro("profile", &ResourceProfile::profile);
}

}  // namespace

void bind_device_profile(nb::module_& module) {
  bind_figures(module);
  bind_profile(module);
  module.def(
      "known_device_profiles", [] { return unlocked([] { return known_device_profiles(); }); },
      "The profiles that come with axle, by name.");
  module.def("profiles_of", &profiles_of, nb::arg("machine"),
             "Of the machine's resources, those that have a profile, in machine order; parts of a split have the whole's.");
  module.def("known_machines", &known_machines, "Names of the machines that come with axle to plan for.");
  module.def(
      "find_machine", [](const std::string& name) { return take(find_machine(name)); }, nb::arg("name_or_file"),
      "A machine that comes with axle (`known_machines`), or the record in that file. NotFoundError names the nearest.");
}

}  // namespace axle::python
