#include <fmt/format.h>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"

namespace axle {
namespace {

std::string mark(bool good, bool color) { return good ? toned("ok  ", Tone::kGood, color) : toned("miss", Tone::kBad, color); }

bool reaches_engine(const Resource& resource, const std::vector<EngineState>& engines) {
  for (const EngineState& engine : engines) {
    for (const EngineResource& other : engine.resources) {
      if (engine.present && other.resource.id == resource.id) return true;
    }
  }
  return false;
}

}  // namespace

std::string render_doctor_text(const DoctorReport& report, const TextStyle& style) {
  std::string out;
  for (const EngineState& engine : report.engines) {
    out += fmt::format("{}  engine {}", mark(engine.present, style.color), engine.name);
    if (engine.present) {
      const bool named = engine.info.library && !engine.info.library->path.empty();
      out += " " + (engine.info.library ? engine.info.library->version : engine.info.plugin_version) + "\n";
      if (named) out += toned("        " + engine.info.library->path, Tone::kDim, style.color) + "\n";
    } else {
      out += ": " + engine.reason + "\n";
      if (!engine.install_command.empty()) out += "        install: " + engine.install_command + "\n";
    }
  }
  if (report.machine != nullptr) {
    for (const Resource& resource : report.machine->resources) {
      const bool reached = reaches_engine(resource, report.engines);
      out += fmt::format("{}  {} {}{}\n", mark(reached, style.color), resource.id, resource.name,
                         reached                   ? ""
                         : resource.driver.empty() ? ": no kernel driver is bound to it"
                                                   : ": no engine here drives it");
    }
  }
  for (const WorkerSafeguard& one : report.safeguards)
    out += fmt::format("{}  own processes, {}: {}\n", mark(one.holds, style.color), one.name, one.detail);
  for (const std::string& problem : report.problems) out += toned("note", Tone::kWarn, style.color) + "  " + problem + "\n";
  out += report.healthy ? "models can be run here: axle run MODEL --random 1\n"
                        : "no engine can run models here yet: install one of the above\n";
  return out;
}

Result<std::string> render_doctor_json(const DoctorReport& report) {
  AXLE_ASSIGN_OR_RETURN(const std::string engines_text, render_engines_json(report.engines));
  AXLE_ASSIGN_OR_RETURN(Json engines, parse_json(engines_text));
  Json resources = Json::array();
  if (report.machine != nullptr) {
    for (const Resource& resource : report.machine->resources) {
      resources.push_back({{"id", resource.id},
                           {"name", resource.name},
                           {"driver", resource.driver},
                           {"reached", reaches_engine(resource, report.engines)}});
    }
  }
  Json safeguards = Json::array();
  for (const WorkerSafeguard& one : report.safeguards)
    safeguards.push_back({{"name", one.name}, {"holds", one.holds}, {"detail", one.detail}});
  return canonical_json({{"healthy", report.healthy},
                         {"problems", report.problems},
                         {"engines", engines["engines"]},
                         {"safeguards", std::move(safeguards)},
                         {"resources", std::move(resources)}});
}

}  // namespace axle
