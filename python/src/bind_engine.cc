// What engines answer; the registry that finds and loads them is in bind_engine_registry.cc.
#include "axle/engine.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"

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

const char* cancel_latency_name(CancelLatency latency) {
  switch (latency) {
    case CancelLatency::kRun: return "run";
    case CancelLatency::kNode: return "node";
    case CancelLatency::kImmediate: return "immediate";
  }
  return "run";
}

const char* dynamic_shapes_name(DynamicShapes shapes) {
  switch (shapes) {
    case DynamicShapes::kNo: return "no";
    case DynamicShapes::kBounded: return "bounded";
    case DynamicShapes::kYes: return "yes";
  }
  return "no";
}

std::vector<std::string> names_of(const std::vector<DataType>& types) {
  std::vector<std::string> names;
  for (const DataType type : types) names.emplace_back(data_type_name(type));
  return names;
}

void bind_options(nb::module_& module) {
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
      .def_ro("minimum", &OptionSpec::minimum, "of an integer or number, inclusive")
      .def_ro("maximum", &OptionSpec::maximum)
      .def_ro("description", &OptionSpec::description)
      .def(
          "check", [](const OptionSpec& option, const std::string& value) { check(check_option(option, value)); },
          nb::arg("value"), "InvalidArgumentError names the option, the value and the domain.");
  nb::class_<Preset>(module, "Preset", "A named set of options.")
      .def_ro("name", &Preset::name)
      .def_ro("options", &Preset::options)
      .def_ro("description", &Preset::description);
}

void bind_capability(nb::module_& module) {
  nb::class_<PrecisionSpec>(module, "PrecisionSpec", "A precision that an engine computes in on a resource.")
      .def_ro("name", &PrecisionSpec::name)
      .def_ro("accumulates", &PrecisionSpec::accumulates, "\"\" = not known")
      .def_ro("native", &PrecisionSpec::native, "False: emulated or converted on this resource");
  nb::class_<OpSpec>(module, "OpSpec", "An operator that an engine runs.")
      .def_ro("domain", &OpSpec::domain, "\"\" = ai.onnx")
      .def_ro("op_type", &OpSpec::op_type)
      .def_ro("min_opset", &OpSpec::min_opset)
      .def_ro("max_opset", &OpSpec::max_opset, "0 = no upper bound known")
      .def_prop_ro("dtypes", [](const OpSpec& op) { return names_of(op.dtypes); }, "\"f32\", ...; empty = not said");
  nb::class_<Capability>(module, "Capability", "What an engine can do on a resource.")
      .def_ro("formats", &Capability::formats)
      .def_ro("precisions", &Capability::precisions)
      .def_prop_ro(
          "dtypes", [](const Capability& capability) { return names_of(capability.dtypes); }, "of model inputs and outputs")
      .def_ro("ops_probed", &Capability::ops_probed, "ops are not known beforehand: a model has to be asked about")
      .def_ro("ops", &Capability::ops)
      .def_prop_ro(
          "dynamic_shapes", [](const Capability& capability) { return dynamic_shapes_name(capability.dynamic_shapes); },
          "\"no\", \"bounded\" or \"yes\"")
      .def_ro("needs_compile", &Capability::needs_compile)
      .def_ro("can_compile", &Capability::can_compile)
      .def_ro("copy_recipe", &Capability::copy_recipe,
              "by whose rules copies of a model in integers are made for it; \"\" = the common ones")
      .def_ro("options", &Capability::options)
      .def_ro("presets", &Capability::presets)
      .def_ro("limits", &Capability::limits)
      .def(
          "resolve_options",
          [](const Capability& capability, const std::string& preset, const std::map<std::string, std::string>& overrides) {
            return take(resolve_options(capability, preset, overrides));
          },
          nb::arg("preset") = "default", nb::arg("overrides") = std::map<std::string, std::string>(),
          "Defaults, then the preset, then `overrides`, each checked: the complete options to load with.\n\n"
          "InvalidArgumentError: unknown option (the nearest is named) or value outside its domain; NotFoundError: no such "
          "preset.");
}

void bind_verdicts(nb::module_& module) {
  nb::class_<Verdict>(module, "Verdict", "An engine's answer for a node or a graph.")
      .def_prop_ro(
          "kind", [](const Verdict& verdict) { return std::string(verdict_kind_name(verdict.kind)); },
          "\"yes\", \"no\", \"needs-group\" or \"unknown\" (until compiled)")
      .def_ro("code", &Verdict::code, "\"UNSUPPORTED_OP\", \"DTYPE\", ...; \"\" unless no or unknown")
      .def_ro("text", &Verdict::text)
      .def_ro("group", &Verdict::group, "nodes of one group run together or not at all; -1 = none")
      .def("__repr__",
           [](const Verdict& verdict) { return "<axle.Verdict " + std::string(verdict_kind_name(verdict.kind)) + ">"; });
  nb::class_<NodeVerdict>(module, "NodeVerdict", "An engine's answer for one node.")
      .def_ro("index", &NodeVerdict::index, "of the node in the graph")
      .def_ro("verdict", &NodeVerdict::verdict);
  nb::class_<GraphVerdict>(module, "GraphVerdict", "An engine's answer for a graph, node by node.")
      .def_ro("graph", &GraphVerdict::graph, "as a whole")
      .def_ro("otherwise", &GraphVerdict::otherwise, "of every node not listed")
      .def_ro("nodes", &GraphVerdict::nodes, "ascending by index")
      .def("of_node", &GraphVerdict::of_node, nb::arg("index"), nb::rv_policy::copy, "Of the node with this index.");
}

void bind_info(nb::module_& module) {
  nb::class_<EngineLibrary>(module, "EngineLibrary", "The vendor's library behind an engine.")
      .def_ro("path", &EngineLibrary::path)
      .def_ro("version", &EngineLibrary::version, "exactly as the library reports it")
      .def_ro("build", &EngineLibrary::build)
      .def_ro("copies", &EngineLibrary::copies, "other copies of the same library in this process")
      .def_ro("parts", &EngineLibrary::parts, "other files that the engine is made of");
  nb::class_<EngineInfo>(module, "EngineInfo", "What an engine says of itself.")
      .def_ro("name", &EngineInfo::name)
      .def_ro("vendor", &EngineInfo::vendor)
      .def_ro("plugin_version", &EngineInfo::plugin_version)
      .def_ro("description", &EngineInfo::description)
      .def_ro("abi_version", &EngineInfo::abi_version)
      .def_ro("library", &EngineInfo::library, "None until the vendor's library has been opened")
      .def_ro("closed", &EngineInfo::closed, "the vendor's source is not public")
      .def_ro("deterministic", &EngineInfo::deterministic, "equal inputs, options and threads give equal bytes")
      .def_ro("honours_cpu_set", &EngineInfo::honours_cpu_set, "False: isolate it when cores matter")
      .def_ro("holds_gil", &EngineInfo::holds_gil)
      .def_ro("example", &EngineInfo::example, "plans use it only when it is named")
      .def_prop_ro(
          "cancel_latency", [](const EngineInfo& info) { return cancel_latency_name(info.cancel_latency); },
          "a cancelled run ends after the \"run\", after a \"node\", or is \"immediate\" (within 10 ms)")
      .def_ro("install_command", &EngineInfo::install_command)
      .def_ro("search", &EngineInfo::search, "places where the library was looked for")
      .def_ro("toolchain", &EngineInfo::toolchain,
              "what makes artefacts for other machines, by name and version; empty: they serve only here");
}

void bind_state(nb::module_& module) {
  nb::class_<EngineResource>(module, "EngineResource", "A resource as an engine sees it.")
      .def_ro("engine_id", &EngineResource::engine_id, "the engine's own name for it")
      .def_ro("resource", &EngineResource::resource, "with the machine's id where it is one of the machine's");
  nb::class_<EngineState>(module, "EngineState", "One known engine, usable or not.")
      .def_ro("name", &EngineState::name)
      .def_ro("plugin_path", &EngineState::plugin_path, "\"\" = registered in-process")
      .def_ro("description_path", &EngineState::description_path, "the engine description it is made of; \"\" = a plugin")
      .def_ro("present", &EngineState::present)
      .def_ro("opened", &EngineState::opened, "an attempt was made; until then present says nothing")
      .def_prop_ro(
          "reason_code",
          [](const EngineState& state) {
            return state.reason_code == StatusCode::kOk ? std::string() : std::string(status_code_name(state.reason_code));
          },
          "of an absent engine: \"UNAVAILABLE\", ...")
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
      .def_ro("engine_resources", &EngineState::resources, "the same with the engine's own names")
      .def_ro("capabilities", &EngineState::capabilities, "by resource id")
      .def_ro("notes", &EngineState::notes)
      .def("__repr__", [](const EngineState& state) {
        const std::string version = state.info.library ? " " + state.info.library->version : "";
        return "<axle.EngineState " + state.name + version + (state.present ? ">" : ", absent>");
      });
}

}  // namespace

void bind_engine(nb::module_& module) {
  nb::class_<WorkerSafeguard>(module, "WorkerSafeguard", "What an engine in a process of its own is kept from here.")
      .def_ro("name", &WorkerSafeguard::name, "\"system calls refused\"")
      .def_ro("holds", &WorkerSafeguard::holds)
      .def_ro("detail", &WorkerSafeguard::detail, "how, or why not");
  module.attr("MAX_PRESETS") = kMaxPresets;
  bind_options(module);
  bind_capability(module);
  bind_verdicts(module);
  bind_info(module);
  bind_state(module);
}

}  // namespace axle::python
