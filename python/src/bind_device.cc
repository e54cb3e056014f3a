#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "axle/device.h"
#include "axle/device_profile.h"
#include "bind.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

void bind_resource(nb::module_& module) {
  nb::class_<Resource>(module, "Resource", "A thing that can execute: a CPU, GPU, NPU, PIM, remote or hybrid device.")
      .def_ro("id", &Resource::id, "\"cpu:0\", \"gpu:1\", \"cpu:0/1\"; unique on its machine")
      .def_prop_ro(
          "kind", [](const Resource& resource) { return std::string(resource_kind_name(resource.kind)); },
          "\"cpu\", \"gpu\", \"npu\", \"pim\", \"remote\" or \"hybrid\"")
      .def_ro("index", &Resource::index, "within its kind, ordered by PCI address")
      .def_ro("part", &Resource::part, "core set of a split; -1 = the whole resource")
      .def_ro("vendor", &Resource::vendor)
      .def_ro("name", &Resource::name, "as the vendor writes it")
      .def_ro("memory_bytes", &Resource::memory_bytes, "own memory, or what a CPU resource may use; 0 = unknown")
      .def_ro("pci_address", &Resource::pci_address)
      .def_ro("uuid", &Resource::uuid)
      .def_ro("driver", &Resource::driver, "\"\" when no driver is bound")
      .def_ro("tags", &Resource::tags)
      .def_ro("attributes", &Resource::attributes)
      .def_ro("cpus", &Resource::cpus, "CPU resources: logical CPUs it may use")
      .def_ro("simulated", &Resource::simulated)
      .def("__repr__",
           [](const Resource& resource) { return "<axle.Resource " + resource.id + " \"" + resource.name + "\">"; });
}

void bind_machine(nb::module_& module) {
  nb::class_<MachineState>(module, "MachineState", "Values at one moment; never part of a key.")
      .def_ro("load_1min", &MachineState::load_1min)
      .def_ro("cpu_khz", &MachineState::cpu_khz)
      .def_ro("memory_available_bytes", &MachineState::memory_available_bytes)
      .def_ro("cpu_pressure_some_10s", &MachineState::cpu_pressure_some_10s, "percent; -1 = not readable")
      .def_ro("steal_percent", &MachineState::steal_percent, "-1 = not readable")
      .def_ro("governor", &MachineState::governor);
  nb::class_<Machine>(module, "Machine", "All resources of a computer, discovered or recorded.")
      .def_ro("architecture", &Machine::architecture)
      .def_ro("os", &Machine::os)
      .def_ro("cpu_vendor", &Machine::cpu_vendor)
      .def_ro("cpu_model", &Machine::cpu_model)
      .def_ro("isa", &Machine::isa)
      .def_ro("allowed_cpus", &Machine::allowed_cpus)
      .def_ro("cpu_quota", &Machine::cpu_quota, "cgroup cpu.max in CPUs; 0 = no limit")
      .def_ro("memory_bytes", &Machine::memory_bytes)
      .def_ro("memory_limit_bytes", &Machine::memory_limit_bytes, "cgroup; 0 = no limit")
      .def_ro("virtual_machine", &Machine::virtual_machine)
      .def_ro("resources", &Machine::resources)
      .def_ro("recorded_name", &Machine::recorded_name, "set when read from a record")
      .def_ro("state", &Machine::state)
      .def("fingerprint", &Machine::fingerprint, "\"sha256:...\" over hardware, drivers and limits.")
      .def("allowed_cores", &Machine::allowed_cores, "Physical cores that may be used, at least 1.")
      .def(
          "select",
          [](const Machine& machine, const std::string& selector) { return select(take(parse_selector(selector)), machine); },
          nb::arg("selector"),
          "Ids of the resources that a selector such as \"gpu@nvidia\" matches. InvalidArgumentError for a malformed one.")
      .def(
          "to_json", [](const Machine& machine) { return take(machine_to_json(machine)); },
          "Canonical JSON (docs/formats/machine.md).")
      .def(
          "save", [](const Machine& machine, const std::string& path) { check(save_machine(path, machine)); }, nb::arg("path"),
          "Write the record, to plan for this machine elsewhere.")
      .def("__repr__", [](const Machine& machine) {
        return "<axle.Machine " + (machine.recorded_name.empty() ? machine.cpu_model : machine.recorded_name) + ", " +
               std::to_string(machine.resources.size()) + " resources>";
      });
}

}  // namespace

void bind_device(nb::module_& module) {
  bind_resource(module);
  bind_machine(module);
  module.def(
      "load_machine", [](const std::string& path) { return take(load_machine(path)); }, nb::arg("path"),
      "A machine record. NotFoundError; InvalidArgumentError says where it is malformed.");
  module.def(
      "find_machine", [](const std::string& name) { return take(find_machine(name)); }, nb::arg("name_or_file"),
      "A machine that comes with axle (`axle devices --profiles`), or the record in that file. NotFoundError names the "
      "nearest.");
  module.def(
      "parse_machine", [](const std::string& json) { return take(parse_machine(json)); }, nb::arg("json"),
      "A machine record given as text.");
}

}  // namespace axle::python
