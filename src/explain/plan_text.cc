#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
#include "base/text.h"
#include "explain/decision_words.h"
#include "explain/effective_text.h"
#include "explain/error_table.h"
#include "explain/text_table.h"
#include "spec/batching_text.h"
#include "spec/planner_input.h"
#include "spec/policy_json.h"

namespace axle {
namespace {

Tone tone_of(const Decision& decision) {
  switch (decision.verdict) {
    case DecisionVerdict::kChosen: return Tone::kGood;
    case DecisionVerdict::kTie: return Tone::kWarn;
    case DecisionVerdict::kFailed: return Tone::kBad;
    case DecisionVerdict::kRejected: return decision.evidence ? Tone::kPlain : Tone::kBad;
    case DecisionVerdict::kNotMeasured: break;
  }
  return Tone::kDim;
}

std::string time_of(const Decision& decision) {
  if (decision.evidence && decision.evidence->p50_ns > 0) return format_duration(decision.evidence->p50_ns);
  if (decision.estimate_ns > 0) return "~" + format_duration(decision.estimate_ns);
  return "-";
}

// The interval of the paired ratio where there is one, else the ratio of the medians.
std::string ratio_of(const Decision& decision, int64_t chosen_ns) {
  if (!decision.evidence || decision.verdict == DecisionVerdict::kChosen) return "";
  if (decision.evidence->interval_high > 0) {
    return fmt::format("{:.2f}-{:.2f}x", decision.evidence->interval_low, decision.evidence->interval_high);
  }
  if (chosen_ns <= 0 || decision.evidence->p50_ns <= 0) return "";
  return fmt::format("{:.2f}x", static_cast<double>(decision.evidence->p50_ns) / static_cast<double>(chosen_ns));
}

int64_t chosen_time(const Plan& plan) {
  for (const Decision& decision : plan.decisions) {
    if (decision.verdict == DecisionVerdict::kChosen && decision.evidence) return decision.evidence->p50_ns;
  }
  return 0;
}

std::string error_of(const Decision& decision) {
  if (!decision.evidence || !decision.evidence->error) return "";
  return fmt::format("{:.1e}", decision.evidence->error->max_relative);
}

// A short plan shows what ran, near rivals, and one line for each gate that spoke.
// What was asked for and is missing is told, however far behind it stands.
// An emulator that nobody named is one more of those that were not asked for.
bool shown_briefly(const Decision& decision, size_t rank, bool targets_named) {
  if (decision.code == "SIMULATED" && !targets_named) return false;
  if (decision.code == "NOT_PREPARED" || decision.code == "NO_CONVERTER" || decision.code == "CONVERSION") return true;
  return decision.verdict == DecisionVerdict::kChosen || decision.verdict == DecisionVerdict::kTie || rank < 8;
}

void add_partitions(const Plan& plan, const TextStyle& style, std::string& out) {
  TextTable table({{"part"}, {"runs on"}, {"engine"}, {"nodes", true}, {"expected", true}, {"cpus"}});
  for (const Partition& part : plan.partitions) {
    std::string cpus;
    for (int32_t cpu : part.cpu_set) cpus += (cpus.empty() ? "" : ",") + std::to_string(cpu);
    std::string expected = "-";
    if (part.expected_ns > 0) expected = (part.expected_from_evidence ? "" : "~") + format_duration(part.expected_ns);
    table.add_row({{std::to_string(part.id)},
                   {part.candidate.format() + (part.simulated ? " (simulated)" : "") + (part.isolated ? " (own process)" : "") +
                        (part.axes.empty() ? "" : " for " + axes_text(part.axes)) +
                        (plan.each.empty() ? "" : fmt::format(", replica {}", part.replica)) +
                        (part.load == Load::kAny ? "" : fmt::format(", {} load", load_name(part.load))),
                    Tone::kStrong},
                   {part.engine_version},
                   {part.nodes.empty() ? "all" : std::to_string(part.nodes.size())},
                   {expected},
                   {cpus.empty() ? "all" : cpus}});
  }
  out += table.render(style.width, style.color, "  ");
}

// What parts hand over, most first.
void add_transfers(const Plan& plan, const TextStyle& style, std::string& out) {
  if (plan.partitions.size() < 2 || plan.transfers.empty()) return;
  constexpr size_t kShown = 8;
  std::vector<const Transfer*> order;
  for (const Transfer& transfer : plan.transfers) order.push_back(&transfer);
  std::stable_sort(order.begin(), order.end(), [](const Transfer* a, const Transfer* b) { return a->bytes > b->bytes; });
  const size_t shown = style.verbose ? order.size() : std::min(kShown, order.size());
  const auto end = [](int32_t part) { return part < 0 ? std::string("caller") : std::to_string(part); };
  TextTable table({{"hands over"}, {"type"}, {"from"}, {"to"}, {"size", true}, {"memory"}});
  for (size_t i = 0; i < shown; ++i) {
    const Transfer& t = *order[i];
    const bool same = t.from_space == t.to_space;
    table.add_row({{t.tensor},
                   {t.type.empty() ? "-" : t.type},
                   {end(t.from_partition)},
                   {end(t.to_partition)},
                   {t.bytes == 0 ? "-" : format_size(t.bytes)},
                   {same ? t.from_space + ", not copied" : t.from_space + " to " + t.to_space}});
  }
  out += "\n" + table.render(style.width, style.color, "  ");
  if (shown < order.size()) out += fmt::format("  ... {} more: add -v\n", order.size() - shown);
}

void add_decisions(const Plan& plan, bool targets_named, const TextStyle& style, std::string& out) {
  TextTable table(
      {{"verdict"}, {"candidate", false, false, true}, {"p50", true}, {"time / chosen"}, {"error"}, {"why", false, true}});
  size_t hidden = 0;
  const int64_t chosen_ns = chosen_time(plan);
  for (size_t rank = 0; rank < plan.decisions.size(); ++rank) {
    const Decision& decision = plan.decisions[rank];
    if (!style.verbose && !shown_briefly(decision, rank, targets_named)) {
      ++hidden;
      continue;
    }
    table.add_row({{std::string(decision_word(decision)), tone_of(decision)},
                   {decision.candidate},
                   {time_of(decision)},
                   {ratio_of(decision, chosen_ns)},
                   {error_of(decision)},
                   {decision.reason}});
  }
  out += "\ndecisions\n" + table.render(style.width, style.color, "  ");
  if (hidden > 0) out += fmt::format("  ... {} more: add -v\n", hidden);
}

// What lower precision costs, output by output.
void add_errors(const Plan& plan, const TextStyle& style, std::string& out) {
  std::vector<CandidateError> errors;
  for (const Decision& decision : plan.decisions) {
    if (decision.evidence && decision.evidence->error) errors.push_back({decision.candidate, &*decision.evidence->error});
  }
  const std::string table = render_error_table(errors, style, "  ");
  if (!table.empty()) out += "\n" + table;
}

constexpr size_t kMostNodesOfDecision = 100;

// Nodes of one kind that are refused for one reason.
struct RefusedKind {
  const NodeReason* first = nullptr;
  size_t count = 0;
};

std::vector<RefusedKind> refused_kinds(const std::vector<NodeReason>& nodes) {
  std::vector<RefusedKind> kinds;
  for (const NodeReason& node : nodes) {
    const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const RefusedKind& kind) {
      return kind.first->op == node.op && kind.first->code == node.code && kind.first->reason == node.reason;
    });
    if (same != kinds.end())
      ++same->count;
    else
      kinds.push_back({&node, 1});
  }
  std::stable_sort(kinds.begin(), kinds.end(), [](const RefusedKind& a, const RefusedKind& b) { return a.count > b.count; });
  return kinds;
}

std::string refused_kinds_text(const std::vector<NodeReason>& nodes, const TextStyle& style) {
  constexpr size_t kShown = 5;
  const std::vector<RefusedKind> kinds = refused_kinds(nodes);
  TextTable table({{"op"}, {"nodes", true}, {"first"}, {"code"}, {"why", false, true}});
  for (size_t i = 0; i < kinds.size() && i < kShown; ++i) {
    const NodeReason& first = *kinds[i].first;
    table.add_row({{first.op}, {std::to_string(kinds[i].count)}, {first.node}, {first.code}, {first.reason}});
  }
  std::string out = table.render(style.width, style.color, "  ");
  if (kinds.size() > kShown) out += fmt::format("  ... {} more kinds: add -v\n", kinds.size() - kShown);
  return out;
}

void add_node_reasons(const Plan& plan, const TextStyle& style, std::string& out) {
  for (const Decision& decision : plan.decisions) {
    if (decision.nodes.empty()) continue;
    // A plan keeps the first of them only.
    const bool cut = decision.nodes.size() >= kMostNodesOfDecision;
    out += fmt::format("\nnodes that stop {}{}\n", decision.candidate,
                       cut ? fmt::format(", the first {}", decision.nodes.size()) : "");
    if (!style.verbose) {
      out += refused_kinds_text(decision.nodes, style);
      continue;
    }
    TextTable table({{"node"}, {"op"}, {"code"}, {"why", false, true}});
    for (const NodeReason& node : decision.nodes) table.add_row({{node.node}, {node.op}, {node.code}, {node.reason}});
    out += table.render(style.width, style.color, "  ");
  }
}

void add_ledger(const Plan& plan, const TextStyle& style, std::string& out) {
  for (const Substitution& taken : plan.substitutions) {
    const std::string text =
        fmt::format("{} instead of {}, allowed by {}: {}", taken.got, taken.wanted, taken.allowed_by, taken.reason);
    out += "\n";
    for (const std::string& line : hanging_lines("substituted: ", text, "  ", style.width))
      out += toned(line, Tone::kWarn, style.color) + "\n";
  }
  for (const std::string& note : plan.notes) out += note_text(note, style.width);
}

std::string model_title(const RunDocument& document) {
  if (document.model == nullptr) return "plan";
  const Model& model = *document.model;
  const std::string where = model.path().empty() ? model.name() : model.path();
  return fmt::format("{} ({}, {})", where, model.format_name(), model.digest().substr(0, 19));
}

// "execution.target = ["npu"]" of every field that is not as it is by default.
void add_differences(const Json& value, const Json& standard, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [key, item] : value.items()) {
    const std::string name = path.empty() ? key : path + "." + key;
    const auto usual = standard.is_object() ? standard.find(key) : standard.end();
    const bool has_usual = standard.is_object() && usual != standard.end();
    if (has_usual && *usual == item) continue;
    if (item.is_object() && !item.empty())
      add_differences(item, has_usual ? *usual : Json::object(), name, out);
    else
      out.push_back(name + " = " + item.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
}

std::string policy_text(const Policy& policy, const TextStyle& style) {
  std::vector<std::string> differences;
  add_differences(policy_to_json_value(policy), policy_to_json_value(Policy()), "", differences);
  const std::string text = fmt::format("policy {}: {}", policy_digest(policy).substr(0, 19),
                                       differences.empty() ? "as by default" : join(differences, ", "));
  std::string out;
  for (const std::string& line : wrap_text(printable(text, 4000), static_cast<size_t>(std::max(style.width, 40)) - 2))
    out += "  " + line + "\n";
  return out;
}

// The candidate, or those of a mixed plan: "a@cpu:0/f32/t2/default + b@cpu:0/f32/t2/default (3 parts)".
std::string places_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Partition& part : plan.partitions) {
    const std::string name = part.candidate.format() + (part.simulated ? " (simulated)" : "");
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string line;
  for (const std::string& name : names) line += (line.empty() ? "" : " + ") + name;
  return plan.partitions.size() == 1 ? line : line + fmt::format(" ({} parts)", plan.partitions.size());
}

const Decision* nearest_rival(const Plan& plan) {
  const Decision* best = nullptr;
  for (const Decision& decision : plan.decisions) {
    if (decision.verdict == DecisionVerdict::kChosen || !decision.evidence || decision.evidence->p50_ns <= 0) continue;
    if (best == nullptr || decision.evidence->p50_ns < best->evidence->p50_ns) best = &decision;
  }
  return best;
}

}  // namespace

std::string render_plan_text(const RunDocument& document, const TextStyle& style) {
  if (document.plan == nullptr) return "no plan\n";
  const Plan& plan = *document.plan;
  std::string out = toned(model_title(document), Tone::kStrong, style.color) + "\n";
  out += fmt::format("  judged on {}, schedule {}{}, plan {}\n", plan.judged_shapes.empty() ? "no inputs" : plan.judged_shapes,
                     plan.schedule, plan.each.empty() ? "" : ", each a " + plan.each, plan.digest().substr(0, 19));
  if (plan.batching.on()) out += fmt::format("  requests are computed together: {}\n", batching_text(plan.batching));
  if (document.policy != nullptr) out += policy_text(*document.policy, style);
  out += "\n";
  add_partitions(plan, style, out);
  out += render_effective_text(document, style);
  add_transfers(plan, style, out);
  add_decisions(plan, document.policy == nullptr || !document.policy->execution.targets.empty(), style, out);
  add_errors(plan, style, out);
  add_node_reasons(plan, style, out);
  add_ledger(plan, style, out);
  return out;
}

std::string render_plan_line(const RunDocument& document) {
  if (document.plan == nullptr || document.plan->partitions.empty()) return "no plan\n";
  const Plan& plan = *document.plan;
  std::string line = places_of(plan);
  if (document.run_ns > 0) line += " in " + format_duration(document.run_ns);
  if (const std::string words = effective_words(document); !words.empty()) line += " (" + words + ")";
  if (const Decision* rival = nearest_rival(plan); rival != nullptr && plan.expected_ns > 0) {
    line += fmt::format("; nearest other: {} at {:.2f}x", rival->candidate,
                        static_cast<double>(rival->evidence->p50_ns) / static_cast<double>(plan.expected_ns));
  } else if (plan.expected_ns > 0 && !plan.partitions.front().expected_from_evidence) {
    line += "; chosen by estimate (axle tune measures)";
  }
  return line + "\n";
}

}  // namespace axle
