// How recorded measurements stand to what is here now: what planning would do with each, for people who look at the store.
#include <algorithm>
#include <map>

#include "axle/evidence_store.h"
#include "axle/runtime.h"
#include "base/clock.h"
#include "planner/evidence_index.h"
#include "planner/mixed_plan.h"
#include "runtime/facts/planner_inputs.h"
#include "spec/candidate.h"
#include "spec/evidence_age.h"

namespace axle {
namespace {

// The candidates that a name stands for; empty for a name that nothing here can read.
std::vector<Candidate> candidates_of(const std::string& name) {
  if (is_mixed_name(name)) {
    auto mixed = parse_mixed_name(name);
    return mixed ? std::move(mixed->candidates) : std::vector<Candidate>{};
  }
  auto candidate = parse_candidate(name);
  return candidate ? std::vector<Candidate>{*std::move(candidate)} : std::vector<Candidate>{};
}

class Present {
 public:
  Present(Machine machine, const std::vector<EngineFacts>& engines)
      : machine_(std::move(machine)), fingerprint_(machine_.fingerprint()), hardware_(machine_.hardware_fingerprint()) {
    for (const EngineFacts& engine : engines) engines_[engine.info.name] = &engine;
  }

  EvidenceAge judge(const EvidenceRow& row, int64_t now_s) const {
    EvidenceAge age;
    age.age_s = row.recorded_unix_s > 0 ? std::max<int64_t>(now_s - row.recorded_unix_s, 0) : -1;
    if (row.key.machine != fingerprint_ && row.hardware != hardware_) {
      age.standing = EvidenceStanding::kElsewhere;
      age.reason = "of another machine";
      return age;
    }
    std::vector<EvidenceSource> sources;
    std::vector<Partition> parts;
    for (const Candidate& candidate : candidates_of(row.key.candidate)) {
      const auto engine = engines_.find(candidate.engine);
      if (engine == engines_.end() || !engine->second->present) {
        age.standing = EvidenceStanding::kAbsent;
        age.reason = candidate.engine + " is not here now";
        return age;
      }
      sources.push_back({candidate.engine, engine->second->library_version, candidate.resource});
      Partition& part = parts.emplace_back();
      part.candidate = candidate;
      part.library_digest = engine->second->library_digest;
    }
    const bool same_library = !parts.empty() && plan_library_digest(parts) == row.key.library_digest;
    if (!same_library || row.key.machine != fingerprint_) {
      age.standing = EvidenceStanding::kStale;
      age.reason = stale_reason(row.made_with, made_with(machine_, sources));
    } else if (age.age_s > kOldEvidenceSeconds) {
      age.standing = EvidenceStanding::kOld;
      age.reason = "more than 90 days old; it counts all the same";
    }
    return age;
  }

 private:
  Machine machine_;
  std::string fingerprint_, hardware_;
  std::map<std::string, const EngineFacts*> engines_;
};

}  // namespace

std::string_view evidence_standing_name(EvidenceStanding standing) noexcept {
  switch (standing) {
    case EvidenceStanding::kOld: return "old";
    case EvidenceStanding::kStale: return "stale";
    case EvidenceStanding::kAbsent: return "absent";
    case EvidenceStanding::kElsewhere: return "elsewhere";
    default: return "counts";
  }
}

Result<std::vector<EvidenceAge>> evidence_ages(Runtime& runtime, std::span<const EvidenceRow> rows) {
  std::vector<EvidenceAge> ages;
  if (rows.empty()) return ages;
  AXLE_ASSIGN_OR_RETURN(Machine machine, runtime.machine());
  AXLE_ASSIGN_OR_RETURN(const std::vector<EngineFacts> engines, collect_engines(runtime));
  const Present present(std::move(machine), engines);
  const int64_t now_s = unix_seconds();
  for (const EvidenceRow& row : rows) ages.push_back(present.judge(row, now_s));
  return ages;
}

}  // namespace axle
