#include "planner/evidence_index.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/batching.h"
#include "planner/context.h"
#include "planner/replicas.h"
#include "spec/evidence_age.h"
#include "spec/evidence_json.h"

namespace axle {
namespace {

const EvidenceRow::Paired* find_pair(const EvidenceRow& row, const std::string& rival) {
  const EvidenceRow::Paired* found = nullptr;
  for (const auto& paired : row.paired) {
    const bool sound = paired.rival == rival && paired.ratio > 0 && paired.low > 0 && paired.low <= paired.high;
    if (sound && (found == nullptr || paired.pairs > found->pairs)) found = &paired;
  }
  return found;
}

int64_t block_median_ns(const EvidenceRow& row) {
  if (row.block_ns.empty()) return 0;
  std::vector<int64_t> sorted = row.block_ns;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

// A core set's number is no core: where sets are cut otherwise now, another one bears it.
bool on_these_cores(const EvidenceRow& row, const Machine& machine) {
  return std::ranges::all_of(core_sets_of(machine, row.key.candidate), [&](const auto& set) {
    const auto then = row.made_with.find(set.first);
    return then != row.made_with.end() && then->second == set.second;
  });
}

// Requests of such a row were joined as the policy has them joined, or may where that is left to measurements.
bool joined_alike(const EvidenceKey& key, const ScheduleRules& rules, bool may_join) {
  if (key.batch == 1) return rules.batch == 1 || rules.batch == kAutoBatch;
  return (may_join || rules.batch == key.batch) && key.batch_wait_ns == rules.batch_wait_ns;
}

}  // namespace

EvidenceIndex::EvidenceIndex(const PlannerInput& input, const std::string& fingerprint)
    : input_(input), fingerprint_(fingerprint),
      may_join_(input.policy.schedule.batch == kAutoBatch && batch_axis(input.model.inputs, input.model.outputs).has_value()) {
  if (input.policy.tuning.evidence == EvidenceUse::kIgnore) return;
  const std::string hardware = input.machine.hardware_fingerprint();
  const auto machine = split_machine(input);  // where it cannot be split, no candidate names a core set
  for (const EvidenceRow& row : input.evidence) {
    const EvidenceKey& key = row.key;
    if (key.model_digest == input.model.digest && key.part.empty() && key.shapes == input.shapes &&
        (key.machine == fingerprint || row.hardware == hardware) && on_these_cores(row, machine ? *machine : input.machine)) {
      rows_[key.candidate].push_back(&row);
    }
  }
  for (auto& [candidate, rows] : rows_) {
    std::stable_sort(rows.begin(), rows.end(), [](const EvidenceRow* a, const EvidenceRow* b) {
      return a->recorded_unix_s != b->recorded_unix_s ? a->recorded_unix_s < b->recorded_unix_s : evidence_before(*a, *b);
    });
  }
}

CandidateEvidence EvidenceIndex::find(const std::string& candidate, const std::string& library_digest, bool simulated) const {
  CandidateEvidence found;
  const auto rows = rows_.find(candidate);
  if (rows == rows_.end()) return found;
  const bool samples_matter = !input_.policy.accuracy.samples.empty() && !input_.samples_digest.empty();
  const auto given = [&](const EvidenceRow* row) { return row != nullptr && row->key.samples_digest == input_.samples_digest; };
  std::map<std::pair<int32_t, int32_t>, const EvidenceRow*> streams;  // by rows together and callers
  for (const EvidenceRow* row : rows->second) {
    if (row->simulated != simulated) continue;
    if (row->key.concurrency != 1) {
      const bool current = row->key.library_digest == library_digest && row->key.machine == fingerprint_;
      const bool counts = current && row->kind == EvidenceKind::kMeasured && block_median_ns(*row) > 0;
      if (counts && joined_alike(row->key, input_.policy.schedule, may_join_))
        streams[{row->key.batch, row->key.concurrency}] = row;
      continue;
    }
    if (row->key.library_digest != library_digest || row->key.machine != fingerprint_) {
      found.outdated = row;
      continue;
    }
    if (row->kind == EvidenceKind::kFailed) {
      found.failure = row;
      continue;
    }
    found.failure = nullptr;
    // Rows on the given samples go before newer rows on others.
    if (judged_ns(*row) > 0 && (given(row) || !given(found.timing))) found.timing = row;
    if (row->peak_memory_bytes > 0) found.memory = row;
    if (row->error && (given(row) || (!samples_matter && !given(found.error)))) found.error = row;
  }
  for (const auto& [key, row] : streams) found.streams.push_back(row);
  return found;
}

BestRequests best_requests(const CandidateEvidence& evidence) {
  const bool judged_joined = !evidence.streams.empty() && evidence.streams.front()->key.batch > 1;
  BestRequests alone{evidence.timing != nullptr && !judged_joined ? judged_ns(*evidence.timing) : 0, 1}, joined;
  for (const EvidenceRow* row : evidence.streams) {
    BestRequests& best = row->key.batch > 1 ? joined : alone;
    const int64_t ns = block_median_ns(*row);
    if (best.request_ns == 0 || ns < best.request_ns) best = {ns, row->key.concurrency, row->key.batch};
  }
  if (joined.request_ns == 0) return alone;
  return alone.request_ns == 0 || worth_more(joined.request_ns, alone.request_ns) ? joined : alone;
}

std::string BestRequests::callers_text() const {
  std::string text = fmt::format("{} caller{}", callers, callers == 1 ? "" : "s");
  if (batch > 1) text += fmt::format(", up to {} rows together", batch);
  return text;
}

bool EvidenceIndex::is_old(const EvidenceRow& row) const {
  return input_.as_of_unix_s > 0 && row.recorded_unix_s > 0 && input_.as_of_unix_s - row.recorded_unix_s > kOldEvidenceSeconds;
}

int64_t judged_ns(const EvidenceRow& row) { return row.p50_ns > 0 ? row.p50_ns : block_median_ns(row); }

TimeRatio time_ratio(const EvidenceRow& a, const EvidenceRow& b) {
  // A stored ratio is the rival's time over the row's own.
  const auto* of_b = find_pair(b, a.key.candidate);
  const auto* of_a = find_pair(a, b.key.candidate);
  if (of_b != nullptr && (of_a == nullptr || of_b->pairs >= of_a->pairs)) return {of_b->ratio, of_b->low, of_b->high, true};
  if (of_a != nullptr) return {1 / of_a->ratio, 1 / of_a->high, 1 / of_a->low, true};
  const int64_t time_b = judged_ns(b);
  return {time_b > 0 ? static_cast<double>(judged_ns(a)) / static_cast<double>(time_b) : 1.0, 0, 0, false};
}

}  // namespace axle
