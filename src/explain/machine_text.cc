#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
#include "base/json.h"
#include "engine/shared_resources.h"
#include "explain/text_table.h"

namespace axle {
namespace {

std::vector<std::string> engines_reaching(const Resource& resource, const std::vector<EngineState>& engines) {
  std::vector<std::string> names;
  for (const EngineState& engine : engines) {
    const bool reaches = std::any_of(engine.resources.begin(), engine.resources.end(),
                                     [&](const EngineResource& other) { return other.resource.id == resource.id; });
    if (engine.present && reaches) names.push_back(engine.name);
  }
  return names;
}

// Resources that only engines know of (simulators, remote ones) stand after the machine's own.
std::vector<Resource> all_resources(const Machine& machine, const std::vector<EngineState>& engines) {
  std::vector<Resource> resources = machine.resources;
  for (Resource& other : resources_of_engines(machine, engines)) resources.push_back(std::move(other));
  return resources;
}

std::string joined(const std::vector<std::string>& words, const char* separator = ", ") {
  return fmt::format("{}", fmt::join(words, separator));
}

std::string cpu_line(const Machine& machine) {
  std::string line = fmt::format("{} ({}), {} of {} logical CPUs", machine.cpu_model, machine.architecture,
                                 machine.allowed_cpus.size(), machine.cpus.size());
  if (machine.cpu_quota > 0) line += fmt::format(", quota {:.2g} CPUs", machine.cpu_quota);
  line += ", " + format_size(machine.memory_bytes);
  if (machine.memory_limit_bytes > 0) line += " (limit " + format_size(machine.memory_limit_bytes) + ")";
  if (machine.virtual_machine) line += ", virtual machine";
  return line;
}

}  // namespace

std::string render_devices_text(const Machine& machine, const std::vector<EngineState>& engines, const TextStyle& style) {
  std::string out = toned(cpu_line(machine), Tone::kStrong, style.color) + "\n";
  if (!machine.isa.empty()) {
    for (const std::string& line : wrap_text(joined(machine.isa, " "), static_cast<size_t>(std::max(style.width, 40)) - 2)) {
      out += "  " + line + "\n";
    }
  }
  out += "\n";
  TextTable table({{"resource"}, {"vendor"}, {"name", false, true}, {"memory", true}, {"driver"}, {"tags"}, {"engines"}});
  for (const Resource& resource : all_resources(machine, engines)) {
    const std::vector<std::string> names = engines_reaching(resource, engines);
    std::vector<std::string> tags = resource.tags;
    if (resource.simulated) tags.insert(tags.begin(), "simulated");
    table.add_row({{resource.id, Tone::kStrong},
                   {resource.vendor},
                   {resource.name},
                   {resource.memory_bytes > 0 ? format_size(resource.memory_bytes) : "-"},
                   {resource.driver},
                   {joined(tags)},
                   {names.empty() ? "none here" : joined(names), names.empty() ? Tone::kWarn : Tone::kGood}});
  }
  out += table.render(style.width, style.color);
  if (style.verbose) out += fmt::format("\nfingerprint {}\n", machine.fingerprint());
  return out;
}

Result<std::string> render_devices_json(const Machine& machine, const std::vector<EngineState>& engines) {
  AXLE_ASSIGN_OR_RETURN(const std::string machine_text, machine_to_json(machine));
  AXLE_ASSIGN_OR_RETURN(Json machine_json, parse_json(machine_text));
  Json resources = Json::array();
  for (const Resource& resource : all_resources(machine, engines)) {
    resources.push_back({{"id", resource.id},
                         {"kind", std::string(resource_kind_name(resource.kind))},
                         {"index", resource.index},
                         {"vendor", resource.vendor},
                         {"name", resource.name},
                         {"memory_bytes", resource.memory_bytes},
                         {"pci_address", resource.pci_address},
                         {"uuid", resource.uuid},
                         {"driver", resource.driver},
                         {"tags", resource.tags},
                         {"attributes", resource.attributes},
                         {"cpus", resource.cpus},
                         {"engines", engines_reaching(resource, engines)},
                         {"simulated", resource.simulated}});
  }
  return canonical_json(
      {{"fingerprint", machine.fingerprint()}, {"resources", resources}, {"machine", std::move(machine_json)}});
}

}  // namespace axle
