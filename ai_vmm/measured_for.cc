#include "measured_for.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "axle/evidence_store.h"

namespace ai_vmm {
namespace {

std::mutex g_mutex;
std::set<std::string>& attempts() {
  static auto& all = *new std::set<std::string>;  // never destroyed
  return all;
}

bool judges_rate(const axle::Policy& policy) {
  return policy.objective == axle::Objective::kThroughput || policy.constraints.throughput_min_per_s > 0;
}

bool judges_memory(const axle::Policy& policy) {
  return policy.objective == axle::Objective::kMemory || policy.constraints.memory_bytes > 0;
}

std::string attempt_of(const axle::Plan& plan, const axle::Policy& policy) {
  return plan.model_digest + "\t" + plan.judged_shapes + "\t" + plan.machine_fingerprint +
         (judges_rate(policy) ? "\trate" : "") + (judges_memory(policy) ? "\tmemory" : "");
}

// What counts here of the model at the plan's shapes.
std::vector<axle::EvidenceRow> rows_of(axle::Runtime& runtime, const axle::Plan& plan) {
  std::vector<axle::EvidenceRow> counted;
  axle::EvidenceStore* store = runtime.evidence();
  if (store == nullptr) return counted;
  auto rows = store->find({plan.model_digest, "", plan.machine_fingerprint});
  if (!rows) return counted;
  const auto ages = axle::evidence_ages(runtime, *rows);
  if (!ages) return counted;
  for (size_t i = 0; i < rows->size(); ++i) {
    const axle::EvidenceRow& row = (*rows)[i];
    const auto standing = (*ages)[i].standing;
    const bool counts = standing == axle::EvidenceStanding::kCounts || standing == axle::EvidenceStanding::kOld;
    if (counts && row.kind == axle::EvidenceKind::kMeasured && row.key.part.empty() && row.key.shapes == plan.judged_shapes)
      counted.push_back(row);
  }
  return counted;
}

bool has_rate(const std::vector<axle::EvidenceRow>& rows, const std::string& candidate) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const axle::EvidenceRow& row) { return row.key.candidate == candidate && row.key.concurrency > 1; });
}

// The slowest may need the least: who was timed and not weighed leaves the choice open.
bool has_memory_of_all(const std::vector<axle::EvidenceRow>& rows) {
  std::set<std::string> timed, weighed;
  for (const axle::EvidenceRow& row : rows) {
    if (row.p50_ns > 0) timed.insert(row.key.candidate);
    if (row.peak_memory_bytes > 0) weighed.insert(row.key.candidate);
  }
  return !timed.empty() && std::includes(weighed.begin(), weighed.end(), timed.begin(), timed.end());
}

}  // namespace

bool measured_for(axle::Runtime& runtime, const axle::Plan& plan, const axle::Policy& policy) {
  if (!plan.measured()) return false;
  // Of a plan of several parts times are all that is ever recorded.
  if (plan.partitions.size() > 1 || (!judges_rate(policy) && !judges_memory(policy))) return true;
  {
    const std::lock_guard lock(g_mutex);
    if (attempts().contains(attempt_of(plan, policy))) return true;
  }
  const std::vector<axle::EvidenceRow> rows = rows_of(runtime, plan);
  const std::string candidate = plan.partitions.front().candidate.format();
  return (!judges_rate(policy) || has_rate(rows, candidate)) && (!judges_memory(policy) || has_memory_of_all(rows));
}

void note_measured_for(const axle::Plan& plan, const axle::Policy& policy) {
  const std::lock_guard lock(g_mutex);
  attempts().insert(attempt_of(plan, policy));
}

}  // namespace ai_vmm
