#include <fmt/format.h>

#include "base/text.h"
#include "plan_case.h"
#include "spec/batching_text.h"
#include "spec/planner_input.h"

namespace axle::testing {
namespace {

void append_partition(const Partition& p, std::string& out) {
  out += fmt::format("partition {} {} {}{}\n", p.id, p.candidate.format(), p.engine_version,
                     p.replica > 0 ? fmt::format(" replica {}", p.replica) : "");
  out +=
      fmt::format("  expected {} {}\n", format_duration_ns(p.expected_ns), p.expected_from_evidence ? "measured" : "estimated");
  if (!p.cpu_set.empty()) out += fmt::format("  cpus {}{}\n", fmt::join(p.cpu_set, ","), p.spin ? " spin" : "");
  if (p.load != Load::kAny) out += fmt::format("  under a {} load\n", load_name(p.load));
  if (!p.axes.empty()) out += fmt::format("  for {}\n", axes_text(p.axes));
  if (p.isolated) out += "  in a process of its own\n";
  if (p.simulated) out += "  simulated\n";
  if (!p.nodes.empty()) {
    out += fmt::format(
        "  {} nodes {}\n", p.nodes.size(),
        fmt::join(p.nodes.begin(), p.nodes.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(p.nodes.size(), 12)), ","));
    out += fmt::format("  {} -> {}\n", fmt::join(p.inputs, ","), fmt::join(p.outputs, ","));
  }
  for (const auto& [name, value] : p.options) out += fmt::format("  option {} = {}\n", name, value);
}

void append_decision(const Decision& d, std::string& out) {
  out += fmt::format("{} {} {}: {}", decision_verdict_name(d.verdict), d.candidate, d.code, d.reason);
  if (d.evidence) {
    out += fmt::format(" | {} in {} runs{}", format_duration_ns(d.evidence->p50_ns), d.evidence->runs,
                       d.evidence->stale ? " stale: " + d.evidence->stale_reason : "");
    if (d.evidence->error) out += fmt::format(" error {:.3g}", d.evidence->error->max_relative);
  } else if (d.estimate_ns > 0) {
    out += fmt::format(" | about {}", format_duration_ns(d.estimate_ns));
  }
  out += '\n';
  for (const NodeReason& node : d.nodes) out += fmt::format("    {} {} {}: {}\n", node.node, node.op, node.code, node.reason);
}

}  // namespace

std::string plan_text(const Result<PlannerOutput>& result) {
  std::string out;
  if (!result.has_value()) {
    const Status& status = result.error();
    out = fmt::format("error {}: {}\n", status_code_name(status.code()), status.message());
    if (!status.hint().empty()) out += fmt::format("hint {}\n", status.hint());
    return out;
  }
  const Plan& plan = result->plan;
  if (plan.schedule != "single")
    out += fmt::format("schedule {}{}: {} per request{}\n", plan.schedule, plan.each.empty() ? "" : ", each a " + plan.each,
                       format_duration_ns(plan.expected_ns),
                       plan.switch_at > 0 ? fmt::format(", switches at {}", plan.switch_at) : "");
  if (plan.batching.on()) out += fmt::format("batching {}\n", batching_text(plan.batching));
  for (const Partition& partition : plan.partitions) append_partition(partition, out);
  for (const Transfer& t : plan.transfers)
    out +=
        fmt::format("transfer {}{} {} -> {} {} B{}\n", t.tensor, t.type.empty() ? "" : " " + t.type, t.from_space, t.to_space,
                    t.bytes, plan.partitions.size() > 1 ? fmt::format(", {} -> {}", t.from_partition, t.to_partition) : "");
  for (const Substitution& s : plan.substitutions)
    out += fmt::format("substitution {} -> {} ({}): {}\n", s.wanted, s.got, s.allowed_by, s.reason);
  for (const std::string& note : plan.notes) out += fmt::format("note {}\n", note);
  for (const Decision& decision : plan.decisions) append_decision(decision, out);
  return out;
}

}  // namespace axle::testing
