// `axle plan --check`, and the document of `axle plan --diff` (docs/formats/lock-check-document.md, plan-diff-document.md).
#include <fmt/format.h>

#include "axle/explain.h"
#include "base/json.h"
#include "base/text.h"
#include "explain/short_text.h"
#include "explain/text_table.h"

namespace axle {
namespace {

std::string candidates_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Partition& part : plan.partitions) names.push_back(part.candidate.format());
  return join(names, " + ");
}

std::string headline(const LockCheck& check, const std::string& path, bool color) {
  if (check.state == LockState::kDrifted) return path + " has " + toned("drifted", Tone::kBad, color) + "\n";
  const bool old = check.state == LockState::kOldEvidence;
  return fmt::format("{} is {}{}: {}\n", path, toned("valid", Tone::kGood, color),
                     old ? toned(" with old evidence", Tone::kWarn, color) : std::string(), candidates_of(check.plan));
}

Json drift_json(const Drift& drift) {
  return {{"field", drift.field},
          {"where", drift.where},
          {"locked", drift.locked},
          {"found", drift.found},
          {"waived", drift.waived}};
}

}  // namespace

std::string render_lock_check_text(const LockCheck& check, const std::string& path, const TextStyle& style) {
  std::string out = headline(check, path, style.color);
  TextTable table({{"field"}, {"of"}, {"locked"}, {"found"}, {""}});
  for (const Drift& drift : check.drifts) {
    table.add_row({{drift.field, drift.waived ? Tone::kDim : Tone::kBad},
                   {drift.where},
                   {short_text(drift.locked, style.verbose)},
                   {short_text(drift.found, style.verbose)},
                   {drift.waived ? "waived" : "", Tone::kDim}});
  }
  if (!table.empty()) out += table.render(style.width, style.color, "  ");
  for (const OldEvidence& old : check.old_evidence)
    out += fmt::format("  evidence on {} is {} days old\n", old.candidate, old.age_days);
  for (const std::string& note : check.notes) out += note_text(note, style.width, "  ");
  if (!check.model_compared) out += "  the model was not compared: axle plan MODEL --check " + path + "\n";
  if (const Status status = check.status("MODEL", path); !status.ok()) out += status.hint() + "\n";
  return out;
}

Result<std::string> render_lock_check_json(const LockCheck& check, const Lock& lock, const std::string& path) {
  Json drift = Json::array(), old = Json::array(), stale = Json::array();
  for (const Drift& one : check.drifts) drift.push_back(drift_json(one));
  for (const OldEvidence& one : check.old_evidence) {
    old.push_back({{"candidate", one.candidate}, {"recorded_unix_s", one.recorded_unix_s}, {"age_days", one.age_days}});
    stale.push_back(one.candidate);
  }
  return canonical_json(
      {{"lock", {{"path", path}, {"digest", lock.digest()}}},
       {"state", std::string(lock_state_name(check.state))},
       {"drift", std::move(drift)},
       {"old_evidence", std::move(old)},
       {"stale", std::move(stale)},
       {"notes", check.notes},
       {"model", {{"compared", check.model_compared}, {"locked_digest", lock.plan.model_digest}}},
       {"machine", {{"fingerprint", check.machine_fingerprint}, {"locked_fingerprint", lock.plan.machine_fingerprint}}},
       {"plan", {{"digest", lock.plan.digest()}, {"candidates", candidates_of(lock.plan)}}}});
}

Result<std::string> render_plan_diff_json(const PlanDiff& diff) {
  Json changes = Json::array();
  for (const PlanChange& change : diff.changes) {
    changes.push_back({{"area", change.area},
                       {"where", change.where},
                       {"before", change.before},
                       {"after", change.after},
                       {"why", change.why}});
  }
  return canonical_json({{"same", diff.changes.empty()}, {"same_work", diff.same_work}, {"changes", std::move(changes)}});
}

}  // namespace axle
