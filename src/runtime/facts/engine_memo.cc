#include "runtime/facts/engine_memo.h"

#include "base/json.h"
#include "engine/library_digest.h"
#include "runtime/facts/plan_memo.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/runtime_state.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

constexpr const char* kKind = "engine";

std::optional<std::string> key_of(Runtime& runtime, const EngineState& state) {
  const auto machine = runtime.machine();
  if (!machine || state.plugin_path.empty() || state.plugin_path.find('\n') != std::string::npos) return std::nullopt;
  return state.name + "\t" + state.plugin_path + "\t" + machine->fingerprint();
}

std::vector<std::string> paths_of(const std::string& plugin, const EngineFacts& facts) {
  std::vector<std::string> paths = {plugin};
  if (facts.info.library && !facts.info.library->path.empty()) paths.push_back(facts.info.library->path);
  return paths;
}

// A stamp in the surroundings says that nothing was touched; only a digest says that the content is the same.
bool same_files(Runtime& runtime, const std::string& plugin, const EngineFacts& facts, bool verify) {
  LibraryDigests digests(verify ? std::string() : runtime.state().library_digest_memo());
  const auto same = [](const Result<std::string>& digest, const std::string& expected) {
    return !expected.empty() && digest && *digest == expected;
  };
  if (!same(digests.of_file(plugin), facts.plugin_file_digest)) return false;
  if (!facts.info.library || facts.info.library->path.empty()) return true;
  return same(digests.of_library(facts.info.library->path, facts.info.library->parts), facts.library_file_digest);
}

}  // namespace

void remember_engine(Runtime& runtime, const EngineState& state, const EngineFacts& facts) {
  // Where a description's tools are found hangs on the whole environment, and its tools tell their versions: it is opened each time.
  if (!state.description_path.empty()) return;
  const auto key = key_of(runtime, state);
  if (!key || !facts.present || facts.library_digest.empty()) return;
  const Json json = {{"facts", engine_facts_to_json(facts)},
                     {"surroundings", library_surroundings(runtime, paths_of(state.plugin_path, facts))}};
  const auto text = canonical_json(json);
  if (text && runtime.state().recall(kKind, *key) != *text) runtime.state().remember(kKind, *key, *text);
}

std::optional<EngineFacts> recall_engine(Runtime& runtime, const EngineState& state, bool verify) {
  if (!state.description_path.empty()) return std::nullopt;
  const auto key = key_of(runtime, state);
  const auto text = key ? runtime.state().recall(kKind, *key) : std::nullopt;
  if (!text) return std::nullopt;
  const auto json = parse_json(*text);
  if (!json || !json->is_object() || !json->contains("facts") || !json->contains("surroundings")) return std::nullopt;
  auto facts = read_engine_facts((*json)["facts"], "engine");
  if (!facts || (*json)["surroundings"] != Json(library_surroundings(runtime, paths_of(state.plugin_path, *facts))))
    return std::nullopt;
  if (!same_files(runtime, state.plugin_path, *facts, verify)) return std::nullopt;
  return std::move(*facts);
}

std::optional<EngineFacts> known_engine(Runtime& runtime, const std::string& name, bool may_open, bool verify) {
  auto state = runtime.engines().peek(name);
  if (!state) return std::nullopt;
  if (!state->opened) {
    if (auto facts = recall_engine(runtime, *state, verify)) return facts;
    if (!may_open) return std::nullopt;
    state = runtime.engines().state(name);
    if (!state) return std::nullopt;
  }
  EngineFacts facts = engine_facts(*state);
  remember_engine(runtime, *state, facts);
  return facts;
}

}  // namespace axle
