#include "axle/plan_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "planner/compare_facts.h"
#include "spec/batching_text.h"
#include "spec/plan_json.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

using Changes = std::vector<PlanChange>;

void add(Changes& changes, const char* area, std::string where, std::string before, std::string after, std::string why = "") {
  if (before == after) return;
  changes.push_back({area, std::move(where), std::move(before), std::move(after), std::move(why)});
}

const Decision* decision_on(const Plan& plan, const std::string& candidate) {
  const auto found = std::find_if(plan.decisions.begin(), plan.decisions.end(),
                                  [&](const Decision& decision) { return decision.candidate == candidate; });
  return found == plan.decisions.end() ? nullptr : &*found;
}

std::string reason_of(const Decision* decision) {
  return decision == nullptr ? std::string() : decision->code + ": " + decision->reason;
}

// What a plan says of a candidate: by its name, or by a beginning of it, the longest first; or of its resource.
const Decision* nearest_decision(const Plan& plan, const std::string& candidate) {
  std::string name = candidate;
  while (true) {
    if (const Decision* decision = decision_on(plan, name)) return decision;
    const size_t end = name.find_last_of("/@");
    if (end == std::string::npos) break;
    name.resize(end);
  }
  const auto parsed = parse_candidate(candidate);
  return parsed ? decision_on(plan, parsed->resource) : nullptr;
}

// Why what ran before does not run after: the later plan's word on it, else on what replaced it.
std::string why_replaced(const Plan& after, const std::string& was, const std::string& is) {
  const Decision* on_was = nearest_decision(after, was);
  const std::string gone = on_was == nullptr ? "" : on_was->candidate + " is " + reason_of(on_was);
  std::string chosen = reason_of(nearest_decision(after, is));
  if (gone.empty()) return chosen;
  return chosen.empty() ? gone : gone + "; " + is + " is " + chosen;
}

std::string cut_text(const Partition& part) {
  return part.nodes.empty() ? std::string("the whole model")
                            : fmt::format("{} nodes, first {}", part.nodes.size(), part.nodes.front());
}

void diff_maps(const char* area, const std::string& prefix, const std::map<std::string, std::string>& a,
               const std::map<std::string, std::string>& b, Changes& changes) {
  std::set<std::string> keys;
  for (const auto* one : {&a, &b}) {
    for (const auto& [key, value] : *one) keys.insert(key);
  }
  const auto value_at = [](const std::map<std::string, std::string>& items, const std::string& key) {
    const auto found = items.find(key);
    return found == items.end() ? std::string() : found->second;
  };
  for (const std::string& key : keys) add(changes, area, prefix + key, value_at(a, key), value_at(b, key));
}

std::string axes_text(const Partition& part) {
  std::vector<std::string> sizes;
  for (const auto& [axis, size] : part.axes) sizes.push_back(fmt::format("{} = {}", axis, size));
  return sizes.empty() ? std::string("open") : join(sizes, ", ");
}

void diff_variant(const Partition& a, const Partition& b, const std::string& name, Changes& changes) {
  const Variant none;
  const Variant &was = a.variant ? *a.variant : none, &is = b.variant ? *b.variant : none;
  const auto copy = [](const Partition& part) { return part.variant ? part.variant->name() : std::string("the model itself"); };
  add(changes, "partition", name + " copy", copy(a), copy(b));
  add(changes, "partition", name + " copy's converter", was.converter, is.converter);
  add(changes, "partition", name + " copy's calibration", was.calibration_digest, is.calibration_digest);
  diff_maps("partition", name + " copy's ", was.options, is.options, changes);
}

void diff_partition(const Partition& a, const Partition& b, const Plan& after, Changes& changes) {
  const std::string name = fmt::format("partition {}", b.id);
  const std::string was = a.candidate.format(), is = b.candidate.format();
  const std::string why = was == is ? "" : why_replaced(after, was, is);
  add(changes, "partition", name + " engine", a.candidate.engine, b.candidate.engine, why);
  add(changes, "partition", name + " resource", a.candidate.resource, b.candidate.resource, why);
  add(changes, "partition", name + " precision", a.candidate.precision, b.candidate.precision, why);
  add(changes, "partition", name + " threads", std::to_string(a.candidate.threads), std::to_string(b.candidate.threads), why);
  add(changes, "partition", name + " preset", a.candidate.preset, b.candidate.preset, why);
  diff_variant(a, b, name, changes);
  add(changes, "partition", name + " prepared sizes", axes_text(a), axes_text(b));
  add(changes, "partition", name + " replica", std::to_string(a.replica), std::to_string(b.replica));
  if (a.candidate.engine == b.candidate.engine) {
    add(changes, "partition", name + " engine version", a.engine_version, b.engine_version);
    add(changes, "partition", name + " library", a.library_digest, b.library_digest);
    diff_maps("partition", name + " option ", a.options, b.options, changes);
  }
  add(changes, "partition", name + " nodes", cut_text(a), cut_text(b));
  if (cut_text(a) == cut_text(b) && a.nodes != b.nodes) add(changes, "partition", name + " nodes", cut_text(a), "others");
  add(changes, "partition", name + " inputs", join(a.inputs, ", "), join(b.inputs, ", "));
  add(changes, "partition", name + " outputs", join(a.outputs, ", "), join(b.outputs, ", "));
  add(changes, "partition", name + " CPUs", fmt::format("{}", fmt::join(a.cpu_set, ",")),
      fmt::format("{}", fmt::join(b.cpu_set, ",")));
  add(changes, "partition", name + " spin", a.spin ? "true" : "false", b.spin ? "true" : "false");
  add(changes, "partition", name + " load", std::string(load_name(a.load)), std::string(load_name(b.load)));
  add(changes, "partition", name + " isolated", a.isolated ? "true" : "false", b.isolated ? "true" : "false");
  if (a.candidate.engine == b.candidate.engine)
    add(changes, "partition", name + " simulated", a.simulated ? "true" : "false", b.simulated ? "true" : "false");
}

void diff_partitions(const Plan& a, const Plan& b, Changes& changes) {
  const size_t common = std::min(a.partitions.size(), b.partitions.size());
  for (size_t i = 0; i < common; ++i) diff_partition(a.partitions[i], b.partitions[i], b, changes);
  const auto text = [](const Partition& part) { return part.candidate.format() + ", " + cut_text(part); };
  for (size_t i = common; i < a.partitions.size(); ++i)
    add(changes, "partition", fmt::format("partition {}", i), text(a.partitions[i]), "");
  for (size_t i = common; i < b.partitions.size(); ++i)
    add(changes, "partition", fmt::format("partition {}", i), "", text(b.partitions[i]),
        reason_of(decision_on(b, b.partitions[i].candidate.format())));
}

std::map<std::string, std::string> transfers_of(const Plan& plan) {
  std::map<std::string, std::string> transfers;
  for (const Transfer& t : plan.transfers) {
    const auto end = [](int32_t partition) {
      return partition < 0 ? std::string("the caller") : fmt::format("partition {}", partition);
    };
    transfers[fmt::format("{} from {} to {}", t.tensor, end(t.from_partition), end(t.to_partition))] =
        fmt::format("{} bytes, {} to {}", t.bytes, t.from_space, t.to_space);
  }
  return transfers;
}

std::map<std::string, std::string> substitutions_of(const Plan& plan) {
  std::map<std::string, std::string> taken;
  for (const Substitution& s : plan.substitutions)
    taken[s.wanted] = fmt::format("{} (allowed by {}: {})", s.got, s.allowed_by, s.reason);
  return taken;
}

std::string evidence_text(const Decision& decision) {
  if (!decision.evidence) return "";
  const EvidenceSummary& e = *decision.evidence;
  std::string text = fmt::format("p50 {}, p95 {}, {} runs", format_duration_ns(e.p50_ns), format_duration_ns(e.p95_ns), e.runs);
  if (e.interval_low > 0) text += fmt::format(", {:.3f} to {:.3f} of the chosen one's time", e.interval_low, e.interval_high);
  if (e.error) text += fmt::format(", error {:.3g}", e.error->max_relative);
  return e.stale ? text + ", old" : text;
}

std::string verdict_text(const Decision& decision) {
  return fmt::format("{} ({})", decision_verdict_name(decision.verdict), decision.code);
}

void diff_decisions(const Plan& a, const Plan& b, Changes& changes) {
  for (const Decision& decision : b.decisions) {
    const Decision* before = decision_on(a, decision.candidate);
    const std::string reason = reason_of(&decision);
    if (before == nullptr) {
      add(changes, "decision", decision.candidate, "", verdict_text(decision), reason);
      continue;
    }
    add(changes, "decision", decision.candidate, verdict_text(*before), verdict_text(decision), reason);
    add(changes, "evidence", decision.candidate, evidence_text(*before), evidence_text(decision));
    if (before->nodes != decision.nodes && verdict_text(*before) == verdict_text(decision))
      add(changes, "decision", decision.candidate + " nodes", fmt::format("{} refused", before->nodes.size()),
          decision.nodes.size() == before->nodes.size() ? "others" : fmt::format("{} refused", decision.nodes.size()), reason);
  }
  for (const Decision& decision : a.decisions) {
    if (decision_on(b, decision.candidate) == nullptr)
      add(changes, "decision", decision.candidate, verdict_text(decision), "", "it is not looked at any more");
  }
}

void diff_notes(const std::vector<std::string>& a, const std::vector<std::string>& b, Changes& changes) {
  for (const std::string& note : a) {
    if (std::find(b.begin(), b.end(), note) == b.end()) add(changes, "note", "", note, "");
  }
  for (const std::string& note : b) {
    if (std::find(a.begin(), a.end(), note) == a.end()) add(changes, "note", "", "", note);
  }
}

void diff_purpose(const Plan& a, const Plan& b, Changes& changes) {
  add(changes, "model", "digest", a.model_digest, b.model_digest);
  add(changes, "model", "shapes", a.judged_shapes, b.judged_shapes);
  add(changes, "policy", "digest", a.policy_digest, b.policy_digest);
  add(changes, "machine", "fingerprint", a.machine_fingerprint, b.machine_fingerprint);
}

void diff_work(const Plan& a, const Plan& b, Changes& changes) {
  add(changes, "schedule", "", a.schedule, b.schedule);
  add(changes, "schedule", "each", a.each, b.each);
  if (a.switch_at != b.switch_at)
    add(changes, "schedule", "switch_at", std::to_string(a.switch_at), std::to_string(b.switch_at));
  add(changes, "schedule", "batching", batching_text(a.batching), batching_text(b.batching));
  diff_partitions(a, b, changes);
  diff_maps("transfer", "", transfers_of(a), transfers_of(b), changes);
  diff_maps("substitution", "", substitutions_of(a), substitutions_of(b), changes);
}

// The work alone: what it was made for is left out.
std::string work_digest(Plan plan) {
  plan.model_digest.clear();
  plan.policy_digest.clear();
  plan.machine_fingerprint.clear();
  return plan.digest();
}

const char* area_of(const std::string& field) {
  if (field == "model" || field == "policy") return field == "model" ? "model" : "policy";
  const bool engine =
      field == "engine" || field == "engine_version" || field == "library" || field == "plugin" || field == "capability";
  return engine ? "engine" : "machine";
}

void diff_facts(const PlannerInput& a, const PlannerInput& b, const Plan& plan, Changes& changes) {
  FactsComparison facts = compare_facts(a, b, plan);
  // The digests and versions of what runs are among the partitions' own.
  for (Drift& drift : facts.drifts) {
    std::string where = drift.where.empty()       ? drift.field
                        : drift.field == "policy" ? drift.where
                                                  : drift.field + " of " + drift.where;
    add(changes, area_of(drift.field), std::move(where), std::move(drift.locked), std::move(drift.found));
  }
  for (std::string& note : facts.notes) add(changes, "note", "facts", "", std::move(note));
  add(changes, "evidence", "samples", a.samples_digest, b.samples_digest);
  add(changes, "evidence", "rows", fmt::format("{}", a.evidence.size()), fmt::format("{}", b.evidence.size()));
}

}  // namespace

PlanDiff diff_plans(const Plan& before, const Plan& after) {
  PlanDiff diff;
  diff.same_work = work_digest(before) == work_digest(after);
  diff_purpose(before, after, diff.changes);
  diff_work(before, after, diff.changes);
  diff_decisions(before, after, diff.changes);
  diff_notes(before.notes, after.notes, diff.changes);
  return diff;
}

Result<PlanDiff> diff_locks(const Lock& before, const Lock& after) {
  AXLE_ASSIGN_OR_RETURN(const PlannerInput a, parse_planner_input(before.input_json));
  AXLE_ASSIGN_OR_RETURN(const PlannerInput b, parse_planner_input(after.input_json));
  PlanDiff diff;
  diff.same_work = work_digest(before.plan) == work_digest(after.plan);
  diff_purpose(before.plan, after.plan, diff.changes);
  diff_facts(a, b, before.plan, diff.changes);
  diff_work(before.plan, after.plan, diff.changes);
  diff_decisions(before.plan, after.plan, diff.changes);
  diff_notes(before.plan.notes, after.plan.notes, diff.changes);
  return diff;
}

}  // namespace axle
