#include "spec/evidence_age.h"

#include <fmt/format.h>

#include <string_view>

namespace axle {
namespace {

constexpr std::string_view kDriver = "driver ";
constexpr std::string_view kCpus = "cpus ";
constexpr std::string_view kSystem = "os";

std::string or_none(const std::string& version) { return version.empty() ? "none" : version; }

std::string difference(const std::string& what, const std::string& then, const std::string& now) {
  if (what == kSystem) return fmt::format("under {}, {} is here", or_none(then), or_none(now));
  if (what.starts_with(kDriver)) {
    return fmt::format("under the driver {} of {}, {} is here", or_none(then), what.substr(kDriver.size()), or_none(now));
  }
  return fmt::format("with {} {}, {} is here", what, or_none(then), or_none(now));
}

}  // namespace

std::map<std::string, std::string> made_with(const Machine& machine, const std::vector<EvidenceSource>& sources) {
  std::map<std::string, std::string> made;
  made[std::string(kSystem)] = machine.os;
  for (const EvidenceSource& source : sources) {
    made[source.engine] = source.version;
    const std::string whole = source.resource.substr(0, source.resource.find('/'));
    const Resource* resource = find_resource(machine, whole);
    if (resource != nullptr && !resource->driver.empty()) made[std::string(kDriver) + whole] = resource->driver;
  }
  return made;
}

std::map<std::string, std::string> core_sets_of(const Machine& machine, std::string_view candidate) {
  std::map<std::string, std::string> sets;
  for (const Resource& resource : machine.resources) {
    if (resource.part < 0 || candidate.find("@" + resource.id + "/") == std::string_view::npos) continue;
    sets[std::string(kCpus) + resource.id] = fmt::format("{}", fmt::join(resource.cpus, ","));
  }
  return sets;
}

std::string stale_reason(const std::map<std::string, std::string>& then, const std::map<std::string, std::string>& now) {
  std::string engines, rest;
  for (const auto& [what, version] : then) {
    const auto found = now.find(what);
    if (what.starts_with(kCpus) || (found != now.end() && found->second == version)) continue;
    std::string& text = what == kSystem || what.starts_with(kDriver) ? rest : engines;
    if (!text.empty()) text += "; ";
    text += difference(what, version, found == now.end() ? std::string() : found->second);
  }
  if (!engines.empty() && !rest.empty()) engines += "; ";
  const std::string all = engines + rest;
  if (!all.empty()) return "measured " + all;
  return then.empty() ? "measured with another version of the engine"
                      : "measured with another build of the engine or its plugin";
}

}  // namespace axle
