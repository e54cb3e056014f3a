#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"

namespace axle {
namespace {

std::vector<std::string> resource_ids(const EngineState& engine) {
  std::vector<std::string> ids;
  for (const EngineResource& resource : engine.resources) ids.push_back(resource.resource.id);
  return ids;
}

std::string version_of(const EngineState& engine) {
  return engine.info.library ? engine.info.library->version : engine.info.plugin_version;
}

// Whether nothing real is behind it.
bool is_simulated(const EngineState& engine) {
  return !engine.resources.empty() &&
         std::all_of(engine.resources.begin(), engine.resources.end(), [](const auto& r) { return r.resource.simulated; });
}

}  // namespace

std::string render_engines_text(const std::vector<EngineState>& engines, const TextStyle& style) {
  TextTable table({{"engine"}, {"version"}, {"resources"}, {"library, or why not", false, true}});
  std::string notes;
  for (const EngineState& engine : engines) {
    std::string last =
        engine.info.library && !engine.info.library->path.empty() ? engine.info.library->path : engine.plugin_path;
    if (!engine.present)
      last = engine.reason + (engine.install_command.empty() ? "" : "  (install: " + engine.install_command + ")");
    table.add_row({{engine.name, Tone::kStrong},
                   {engine.present ? version_of(engine) : "absent", engine.present ? Tone::kGood : Tone::kBad},
                   {fmt::format("{}", fmt::join(resource_ids(engine), ", "))},
                   {last}});
    for (const std::string& note : engine.notes) notes += fmt::format("note: {}: {}\n", engine.name, note);
  }
  if (table.empty()) return "no engine plugins found\n";
  return table.render(style.width, style.color) + notes;
}

Result<std::string> render_engines_json(const std::vector<EngineState>& engines) {
  Json list = Json::array();
  for (const EngineState& engine : engines) {
    Json row = {{"name", engine.name},
                {"present", engine.present},
                {"plugin", engine.plugin_path},
                {"description", engine.description_path},
                {"plugin_version", engine.info.plugin_version},
                {"abi", engine.info.abi_version},
                {"library", engine.info.library ? engine.info.library->path : ""},
                {"version", version_of(engine)},
                {"library_digest", engine.library_digest},
                {"resources", resource_ids(engine)},
                {"simulated", is_simulated(engine)},
                {"closed", engine.info.closed},
                {"deterministic", engine.info.deterministic},
                {"honours_cpu_set", engine.info.honours_cpu_set},
                {"install_command", engine.install_command},
                {"notes", engine.notes}};
    if (!engine.present) {
      row["reason"] = engine.reason;
      row["reason_code"] = std::string(status_code_name(engine.reason_code));
    }
    Json formats = Json::object();
    Json precisions = Json::object();
    for (const auto& [resource, capability] : engine.capabilities) {
      formats[resource] = capability.formats;
      Json names = Json::array();
      for (const PrecisionSpec& precision : capability.precisions) names.push_back(precision.name);
      precisions[resource] = std::move(names);
    }
    row["formats"] = std::move(formats);
    row["precisions"] = std::move(precisions);
    row["kernels"] = Json::array();
    list.push_back(std::move(row));
  }
  return canonical_json({{"engines", std::move(list)}});
}

}  // namespace axle
