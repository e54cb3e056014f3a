#include "runtime/facts/plan_memo.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file_stamp.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/search_folders.h"
#include "runtime/facts/model_facts.h"
#include "runtime/loading/custom_ops.h"
#include "runtime/measuring/machine_figures.h"
#include "runtime/runtime_state.h"
#include "spec/plan_json.h"

namespace axle {
namespace {

constexpr int kMemoVersion = 2;

// Folders count by their own times: an added or removed entry shows.
std::string stat_text(const std::string& path) {
  struct stat info = {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return path + "=absent\n";
  return path + "=" + std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + ":" + std::to_string(info.st_size) +
         ":" + std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + "\n";
}

// Where described engines' tools are found may hang on any variable; not on those that every shell changes.
bool is_volatile(std::string_view line) {
  return line.starts_with("_=") || line.starts_with("PWD=") || line.starts_with("OLDPWD=") || line.starts_with("SHLVL=") ||
         line.starts_with("AXLE_LOG=");
}

std::string environment_text(bool whole) {
  std::string text;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const bool ours = (whole || line.starts_with("AXLE_")) && !is_volatile(line);
    if (ours || line.starts_with("VIRTUAL_ENV=") || line.starts_with("CONDA_PREFIX=") || line.starts_with("LD_LIBRARY_PATH=")) {
      text += std::string(line) + "\n";
    }
  }
  return text;
}

// The descriptions that engines are made of.
std::vector<std::string> description_paths(Runtime& runtime) {
  std::vector<std::string> paths;
  for (const std::string& name : runtime.engines().names()) {
    if (const auto state = runtime.engines().peek(name); state.ok() && !state->description_path.empty())
      paths.push_back(state->description_path);
  }
  return paths;
}

}  // namespace

std::string plan_memo_key(const Model& model, const PlanRequest& request, const Machine& machine, const std::string& variants) {
  Sha256 hash;
  hash.update_field(model.digest());
  hash.update_field(policy_digest(request.policy));
  hash.update_field(input_shapes_text(model.inputs(), request.samples));
  hash.update_field(samples_digest(request.samples));
  hash.update_field(variants);
  hash.update_field(machine.fingerprint());
  hash.update_field(std::to_string(kMemoVersion));
  // What is not there is said when the plan is made.
  for (const auto& [engine, options] : request.policy.engines.options) {
    const auto libraries = options.find(std::string(kCustomOpsOption));
    if (libraries != options.end()) hash.update_field(pin_custom_ops(libraries->second).value_or(""));
  }
  return hash.finish().to_string();
}

std::string library_surroundings(Runtime& runtime, const std::vector<std::string>& library_paths) {
  const std::vector<std::string> descriptions = description_paths(runtime);
  std::string text = environment_text(!descriptions.empty());
  for (const std::string& path : descriptions) text += stat_text(path);
  for (const std::string& folder : runtime.state().options.engine_folders) text += stat_text(folder);
  for (const std::string& name : runtime.state().options.engines) text += name + "\n";
  for (const std::string& folder : default_plugin_folders()) text += stat_text(folder);
  for (const std::string& folder : python_site_folders()) text += stat_text(folder);
  text += stat_text(data_folder() + "/engines");  // `axle engines install`
  for (const std::string& path : library_paths) text += stat_text(path);
  return text;
}

std::string plan_surroundings(Runtime& runtime, const std::vector<std::string>& library_paths) {
  std::string text = library_surroundings(runtime, library_paths);
  // Engines registered in one process are not there in another.
  for (const std::string& name : runtime.engines().names()) text += name + "\n";
  if (EvidenceStore* store = runtime.evidence(); store != nullptr) text += stat_text(store->path());
  text += stat_text(machine_figures_folder(runtime));
  return text;
}

std::optional<PlanReport> recall_plan(Runtime& runtime, const std::string& key) {
  const auto text = runtime.state().recall("plan", key);
  if (!text) return std::nullopt;
  const auto json = parse_json(*text);
  if (!json || !json->is_object() || !json->contains("libraries") || !json->contains("surroundings")) return std::nullopt;
  std::vector<std::string> libraries;
  for (const Json& path : (*json)["libraries"]) {
    if (!path.is_string()) return std::nullopt;
    libraries.push_back(path.get<std::string>());
  }
  if ((*json)["surroundings"] != Json(plan_surroundings(runtime, libraries))) return std::nullopt;
  auto plan = read_plan_json((*json)["plan"], "plan");
  if (!plan || !(*json)["input"].is_string()) return std::nullopt;
  return PlanReport{std::move(*plan), (*json)["input"].get<std::string>()};
}

void remember_plan(Runtime& runtime, const std::string& key, const PlanReport& report,
                   const std::vector<std::string>& library_paths) {
  // No stamp covers all the files that a described engine is made of: what it is chosen for is decided anew.
  for (const Partition& part : report.plan.partitions) {
    const auto state = runtime.engines().peek(part.candidate.engine);
    if (state.ok() && !state->description_path.empty()) return;
  }
  // The planner's input is not kept: only a lock wants it, and it can be collected anew.
  const Json json = {{"plan", plan_to_json_value(report.plan)},
                     {"input", ""},
                     {"libraries", library_paths},
                     {"surroundings", plan_surroundings(runtime, library_paths)}};
  if (const auto text = canonical_json(json); text) runtime.state().remember("plan", key, *text);
}

}  // namespace axle
