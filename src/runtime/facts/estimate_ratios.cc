#include "runtime/facts/estimate_ratios.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/json.h"
#include "base/logging.h"
#include "planner/cost_model.h"
#include "planner/evidence_index.h"
#include "planner/gates.h"
#include "runtime/measuring/machine_figures.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

constexpr const char* kWorkKind = "work-1";
constexpr size_t kMostModels = 64;  // of which ratios are learned: enough for a median, and planning stays fast

// ---- what it takes to estimate a model again

Json work_to_json(const ModelFacts& model) {
  std::map<std::tuple<uint64_t, uint64_t, uint64_t>, uint64_t> counts;  // equal nodes cost the same
  for (const NodeFacts& node : model.nodes) ++counts[{node.flops, node.weight_bytes, node.activation_bytes}];
  Json nodes = Json::array();
  for (const auto& [work, count] : counts) nodes.push_back({std::get<0>(work), std::get<1>(work), std::get<2>(work), count});
  return {{"float_dtype", model.float_dtype}, {"nodes", nodes}};
}

std::optional<ModelFacts> work_of(const std::string& text) {
  constexpr uint64_t kMostNodes = 1'000'000;
  const auto json = parse_json(text);
  if (!json || !json->is_object() || !json->contains("nodes") || !(*json)["nodes"].is_array()) return std::nullopt;
  if (!json->contains("float_dtype") || !(*json)["float_dtype"].is_string()) return std::nullopt;
  ModelFacts model;
  model.float_dtype = (*json)["float_dtype"].get<std::string>();
  for (const Json& row : (*json)["nodes"]) {
    const bool counts = row.is_array() && row.size() == 4 &&
                        std::all_of(row.begin(), row.end(), [](const Json& item) { return item.is_number_unsigned(); });
    if (!counts || row[3].get<uint64_t>() > kMostNodes - model.nodes.size()) return std::nullopt;
    NodeFacts node;
    node.flops = row[0].get<uint64_t>();
    node.weight_bytes = row[1].get<uint64_t>();
    node.activation_bytes = row[2].get<uint64_t>();
    model.nodes.insert(model.nodes.end(), row[3].get<uint64_t>(), node);
  }
  return model;
}

std::string work_key(const std::string& digest, const std::string& shapes) { return digest + "\t" + shapes; }

// ---- ratios

struct Measured {
  Candidate candidate;
  const EvidenceRow* row = nullptr;
};

// Newest measurement of each candidate in this process at each shape of the model.
std::vector<Measured> newest(const std::vector<EvidenceRow>& rows, const std::string& digest) {
  std::map<std::pair<std::string, std::string>, const EvidenceRow*> latest;
  for (const EvidenceRow& row : rows) {
    const bool counts = row.key.model_digest == digest && row.kind == EvidenceKind::kMeasured && !row.simulated &&
                        row.key.part.empty() && row.key.concurrency == 1 && judged_ns(row) > 0;
    if (!counts) continue;
    const EvidenceRow*& known = latest[{row.key.candidate, row.key.shapes}];
    if (known == nullptr || row.recorded_unix_s >= known->recorded_unix_s) known = &row;
  }
  std::vector<Measured> found;
  for (const auto& [key, row] : latest) {
    auto candidate = parse_candidate(row->key.candidate);  // a mixed plan is none
    if (candidate.has_value() && !candidate->preset.ends_with(kIsolatedSuffix)) found.push_back({*std::move(candidate), row});
  }
  return found;
}

using RatioKey = std::tuple<std::string, ResourceKind, std::string>;

std::map<RatioKey, std::vector<int64_t>> ratios_of(Runtime& runtime, const Machine& here, const PlannerInput& profiled,
                                                   const std::vector<Measured>& measured) {
  std::map<RatioKey, std::vector<int64_t>> ratios;
  std::map<std::string, std::optional<ModelFacts>> works;  // by shapes
  for (const auto& [candidate, row] : measured) {
    const Resource* resource = find_resource(here, candidate.resource);
    if (resource == nullptr) continue;
    const auto [work, fresh] = works.try_emplace(row->key.shapes);
    if (fresh) {
      if (const auto text = runtime.state().recall(kWorkKind, work_key(row->key.model_digest, row->key.shapes)); text)
        work->second = work_of(*text);
    }
    if (!work->second) continue;
    const Roofline roofline =
        roofline_of(here, *resource, candidate.precision, candidate.threads, find_profile(profiled, resource->id));
    const int64_t estimate = estimate_ns(*work->second, roofline, candidate.precision);
    const int64_t time = std::min(judged_ns(*row), int64_t{1} << 50);
    if (estimate > 0)
      ratios[{candidate.engine, resource->kind, candidate.precision}].push_back(
          std::clamp<int64_t>(time * 1000 / estimate, 1, 1'000'000'000));
  }
  return ratios;
}

// Of an engine that is here as it was then: another build may be faster or slower.
bool is_current(const EvidenceRow& row, const std::vector<EngineFacts>& engines) {
  const auto candidate = parse_candidate(row.key.candidate);
  if (!candidate) return false;
  const auto engine = std::ranges::find(engines, candidate->engine, [](const EngineFacts& facts) { return facts.info.name; });
  return engine != engines.end() && engine->present && engine->library_digest == row.key.library_digest;
}

std::vector<std::string> models_in(const std::vector<EvidenceRow>& rows) {
  std::map<std::string, int64_t> last;
  for (const EvidenceRow& row : rows) last[row.key.model_digest] = std::max(last[row.key.model_digest], row.recorded_unix_s);
  std::vector<std::string> digests;
  for (const auto& [digest, when] : last) digests.push_back(digest);
  std::stable_sort(digests.begin(), digests.end(),
                   [&](const std::string& a, const std::string& b) { return last[a] > last[b]; });
  if (digests.size() > kMostModels) digests.resize(kMostModels);
  std::sort(digests.begin(), digests.end());
  return digests;
}

}  // namespace

void add_estimate_ratios(Runtime& runtime, const Machine& here, PlannerInput& input) {
  EvidenceStore* store = runtime.evidence();
  if (store == nullptr || input.policy.tuning.evidence == EvidenceUse::kIgnore) return;
  if (!input.model.nodes.empty() && !input.model.digest.empty()) {
    const std::string key = work_key(input.model.digest, input.shapes);
    const auto text = canonical_json(work_to_json(input.model));
    if (text && runtime.state().recall(kWorkKind, key) != *text) runtime.state().remember(kWorkKind, key, *text);
  }
  auto rows = store->find({.model_digest = {}, .candidate = {}, .machine = here.fingerprint()});
  if (!rows) return;  // said where this model's own rows are read
  std::erase_if(*rows, [&](const EvidenceRow& row) { return !is_current(row, input.engines); });
  PlannerInput profiled;
  profiled.profiles = profiles_of(here);
  use_machine_figures(runtime, here, profiled.profiles);
  for (const std::string& digest : models_in(*rows)) {
    for (auto& [key, ratios] : ratios_of(runtime, here, profiled, newest(*rows, digest))) {
      std::sort(ratios.begin(), ratios.end());
      const auto& [engine, kind, precision] = key;
      input.estimate_ratios.push_back(
          {digest, engine, kind, precision, ratios[(ratios.size() - 1) / 2], static_cast<int32_t>(ratios.size())});
    }
  }
}

}  // namespace axle
