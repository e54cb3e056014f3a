#include "axle/device.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

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
      .def("__eq__",
           [](const Resource& a, nb::handle b) { return nb::isinstance<Resource>(b) && a == nb::cast<const Resource&>(b); })
      .def("__repr__", [](const Resource& resource) {
        return "<axle.Resource " + resource.id + " \"" + resource.name + (resource.simulated ? "\", simulated>" : "\">");
      });
}

void bind_topology(nb::module_& module) {
  nb::class_<CpuCache>(module, "CpuCache", "A cache of the processor.")
      .def_ro("level", &CpuCache::level)
      .def_ro("type", &CpuCache::type, "\"data\", \"instruction\" or \"unified\"")
      .def_ro("size_bytes", &CpuCache::size_bytes)
      .def_ro("shared_by_cpus", &CpuCache::shared_by_cpus, "logical CPUs that share one instance");
  nb::class_<LogicalCpu>(module, "LogicalCpu", "A logical CPU, present or not allowed.")
      .def_ro("id", &LogicalCpu::id)
      .def_ro("core", &LogicalCpu::core)
      .def_ro("package", &LogicalCpu::package, "socket")
      .def_ro("numa_node", &LogicalCpu::numa_node)
      .def_ro("smt_index", &LogicalCpu::smt_index, "0 = first thread of its core")
      .def_ro("max_khz", &LogicalCpu::max_khz);
  nb::class_<NumaNode>(module, "NumaNode", "Memory and the logical CPUs beside it.")
      .def_ro("id", &NumaNode::id)
      .def_ro("memory_bytes", &NumaNode::memory_bytes)
      .def_ro("cpus", &NumaNode::cpus);
  nb::class_<PowerCounter>(module, "PowerCounter", "A counter of energy or power.")
      .def_ro("name", &PowerCounter::name, "\"package-0\", \"gpu:0\"")
      .def_ro("source", &PowerCounter::source, "\"rapl\", \"hwmon\" or \"nvml\"")
      .def_ro("path", &PowerCounter::path)
      .def_ro("readable", &PowerCounter::readable);
  nb::class_<MachineState>(module, "MachineState", "Values at one moment; never part of a key.")
      .def_ro("load_1min", &MachineState::load_1min)
      .def_ro("cpu_khz", &MachineState::cpu_khz)
      .def_ro("memory_available_bytes", &MachineState::memory_available_bytes)
      .def_ro("cpu_pressure_some_10s", &MachineState::cpu_pressure_some_10s, "percent; -1 = not readable")
      .def_ro("steal_percent", &MachineState::steal_percent, "-1 = not readable")
      .def_ro("governor", &MachineState::governor);
}

using SelectorOrText = std::variant<std::string, Selector>;

Selector selector_of(const SelectorOrText& which) {
  if (const auto* text = std::get_if<std::string>(&which)) return take(parse_selector(*text));
  return std::get<Selector>(which);
}

void bind_selector(nb::module_& module) {
  nb::class_<Selector>(module, "Selector",
                       "Resources by description: kind[:index][/part][@vendor][#tag], \"igpu\" = gpu#integrated, \"cuda:N\", "
                       "\"auto\".")
      .def_ro("text", &Selector::text, "as written")
      .def_prop_ro(
          "kind",
          [](const Selector& selector) {
            return selector.kind ? std::optional(std::string(resource_kind_name(*selector.kind))) : std::nullopt;
          },
          "\"cpu\", ...; None for \"auto\"")
      .def_ro("index", &Selector::index)
      .def_ro("part", &Selector::part)
      .def_ro("vendor", &Selector::vendor, "\"\" = any")
      .def_ro("tags", &Selector::tags)
      .def_ro("cuda_index", &Selector::cuda_index, "of cuda:N, within CUDA_VISIBLE_DEVICES")
      .def(
          "matches", [](const Selector& selector, const Resource& resource) { return matches(selector, resource); },
          nb::arg("resource"), "True when every field that is there does.")
      .def("__eq__",
           [](const Selector& a, nb::handle b) { return nb::isinstance<Selector>(b) && a == nb::cast<const Selector&>(b); })
      .def("__repr__", [](const Selector& selector) { return "<axle.Selector " + selector.text + ">"; });
  module.def(
      "parse_selector", [](const std::string& text) { return take(parse_selector(text)); }, nb::arg("text"),
      "A selector from its text, in any case. InvalidArgumentError with the place and the grammar.");
  module.attr("SIMULATED_TAG") = nb::str(kSimulatedTag.data(), kSimulatedTag.size());
}

std::optional<Resource> find_in(const Machine& machine, const std::string& id) {
  const Resource* found = find_resource(machine, id);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

void bind_machine(nb::module_& module) {
  nb::class_<Machine>(module, "Machine", "All resources of a computer, discovered or recorded.")
      .def_ro("architecture", &Machine::architecture)
      .def_ro("os", &Machine::os)
      .def_ro("cpu_vendor", &Machine::cpu_vendor)
      .def_ro("cpu_model", &Machine::cpu_model)
      .def_ro("isa", &Machine::isa, "what matters of it, sorted: \"avx2\", \"amx_tile\", ...")
      .def_ro("cpus", &Machine::cpus, "all present, ascending")
      .def_ro("allowed_cpus", &Machine::allowed_cpus, "affinity and cpuset applied")
      .def_ro("cpu_quota", &Machine::cpu_quota, "cgroup cpu.max in CPUs; 0 = no limit")
      .def_ro("caches", &Machine::caches)
      .def_ro("numa_nodes", &Machine::numa_nodes)
      .def_ro("memory_bytes", &Machine::memory_bytes)
      .def_ro("memory_limit_bytes", &Machine::memory_limit_bytes, "cgroup; 0 = no limit")
      .def_ro("virtual_machine", &Machine::virtual_machine)
      .def_ro("resources", &Machine::resources)
      .def_ro("power_counters", &Machine::power_counters)
      .def_ro("recorded_name", &Machine::recorded_name, "set when read from a record")
      .def_ro("state", &Machine::state)
      .def("fingerprint", &Machine::fingerprint, "\"sha256:...\" over hardware, drivers and limits.")
      .def("allowed_cores", &Machine::allowed_cores, "Physical cores that may be used, at least 1.")
      .def("hardware_fingerprint", &Machine::hardware_fingerprint,
           "The same without what an update changes: os, drivers and what drivers tell.")
      .def(
          "select", [](const Machine& machine, const SelectorOrText& which) { return select(selector_of(which), machine); },
          nb::arg("selector"),
          "Ids of the resources that a selector such as \"gpu@nvidia\" matches. InvalidArgumentError for a malformed one.")
      .def("find_resource", &find_in, nb::arg("id"), "The resource \"cpu:0\"; None when there is none.")
      .def(
          "apply_split",
          [](Machine& machine, const std::string& id, const std::vector<std::vector<int32_t>>& core_sets) {
            check(apply_split(machine, id, core_sets));
          },
          nb::arg("resource_id"), nb::arg("core_sets"),
          "Add core sets of a CPU resource as resources: \"cpu:0\" with [[0], [1]] gives cpu:0/0 and cpu:0/1, in place of an\n"
          "earlier split. InvalidArgumentError: a CPU that is not allowed here or appears twice, or an empty set; "
          "NotFoundError:\n"
          "no such resource. The machine is unchanged on failure.")
      .def(
          "to_json", [](const Machine& machine) { return take(machine_to_json(machine)); },
          "Canonical JSON (docs/formats/machine.md).")
      .def(
          "save", [](const Machine& machine, const std::string& path) { check(save_machine(path, machine)); }, nb::arg("path"),
          "Write the record, to plan for this machine elsewhere.")
      .def("__eq__",
           [](const Machine& a, nb::handle b) { return nb::isinstance<Machine>(b) && a == nb::cast<const Machine&>(b); })
      .def("__repr__", [](const Machine& machine) {
        return "<axle.Machine " + (machine.recorded_name.empty() ? machine.cpu_model : machine.recorded_name) + ", " +
               std::to_string(machine.resources.size()) + " resources>";
      });
}

}  // namespace

void bind_device(nb::module_& module) {
  bind_resource(module);
  bind_topology(module);
  bind_selector(module);
  bind_machine(module);
  module.def(
      "discover_machine", [] { return take(unlocked([] { return discover_machine(); })); },
      "This machine, looked at anew (1 to 20 ms); Runtime.machine keeps what it found. UnavailableError without /proc.");
  module.def(
      "load_machine", [](const std::string& path) { return take(load_machine(path)); }, nb::arg("path"),
      "A machine record. NotFoundError; InvalidArgumentError says where it is malformed.");
  module.def(
      "parse_machine", [](const std::string& json) { return take(parse_machine(json)); }, nb::arg("json"),
      "A machine record given as text.");
}

}  // namespace axle::python
