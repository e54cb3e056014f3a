#include <fmt/format.h>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/error_table.h"
#include "explain/text_table.h"
#include "spec/evidence_json.h"

namespace axle {
namespace {

Tone tone_of(const std::string& verdict) {
  if (verdict == "winner") return Tone::kGood;
  if (verdict == "tie" || verdict == "undecided") return Tone::kWarn;
  if (verdict == "failed" || verdict == "gated") return Tone::kBad;
  return Tone::kDim;
}

std::string ratio_text(const TuneRow& row) {
  if (row.ratio <= 0) return "";
  if (row.ratio_high <= 0) return fmt::format("{:.2f}x", row.ratio);
  return fmt::format("{:.2f}x [{:.2f}, {:.2f}]", row.ratio, row.ratio_low, row.ratio_high);
}

}  // namespace

std::string render_tune_text(const TuneReport& report, const TextStyle& style) {
  TextTable table({{"verdict"},
                   {"candidate", false, false, true},
                   {"p50", true},
                   {"time / winner", false, false, true},
                   {"blocks", true},
                   {"memory", true},
                   {"requests", false, false, true},
                   {"error"},
                   {"why", false, true}});
  for (const TuneRow& row : report.rows) {
    table.add_row(
        {{row.verdict, tone_of(row.verdict)},
         {row.candidate, row.verdict == "winner" ? Tone::kStrong : Tone::kPlain},
         {row.p50_ns > 0 ? format_duration(row.p50_ns) : "-"},
         {ratio_text(row)},
         {row.disturbed_blocks > 0 ? fmt::format("{} (-{})", row.blocks, row.disturbed_blocks) : std::to_string(row.blocks)},
         {row.peak_memory_bytes > 0 ? format_size(row.peak_memory_bytes) : ""},
         {row.callers > 0 ? fmt::format("{:.1f}/s by {}{}", row.throughput_per_s, row.callers,
                                        row.batch > 1 ? fmt::format(", {} together", row.batch) : "")
                          : ""},
         {row.error ? fmt::format("{:.1e}", row.error->max_relative) : ""},
         {row.reason}});
  }
  std::string out = table.render(style.width, style.color);
  std::vector<CandidateError> errors;
  for (const TuneRow& row : report.rows) {
    if (row.error) errors.push_back({row.candidate, &*row.error});
  }
  out += render_error_table(errors, style);
  out += fmt::format("measured in {}", format_duration(report.elapsed_ns));
  if (!report.reference.empty()) out += fmt::format("; errors against {}", report.reference);
  out += "\n";
  if (report.noisy_machine)
    out += toned("note: this machine is noisy: blocks were disturbed by other work\n", Tone::kWarn, style.color);
  for (const std::string& note : report.notes) out += note_text(note, style.width);
  return out;
}

Result<std::string> render_tune_json(const TuneReport& report) {
  Json rows = Json::array();
  for (const TuneRow& row : report.rows) {
    Json item = {{"candidate", row.candidate}, {"verdict", row.verdict},
                 {"reason", row.reason},       {"p50_us", static_cast<double>(row.p50_ns) / 1e3},
                 {"blocks", row.blocks},       {"disturbed_blocks", row.disturbed_blocks},
                 {"ratio", row.ratio},         {"interval", {row.ratio_low, row.ratio_high}}};
    if (row.peak_memory_bytes > 0) item["peak_memory_bytes"] = row.peak_memory_bytes;
    if (row.callers > 0) {
      item["throughput_per_s"] = row.throughput_per_s;
      item["callers"] = row.callers;
      if (row.batch > 1) item["batch"] = row.batch;
    }
    if (row.error) item["error"] = error_figures_to_json(*row.error);
    rows.push_back(std::move(item));
  }
  AXLE_ASSIGN_OR_RETURN(const std::string plan_text, plan_to_json(report.plan));
  AXLE_ASSIGN_OR_RETURN(Json plan, parse_json(plan_text));
  return canonical_json({{"candidates", std::move(rows)},
                         {"elapsed_ms", static_cast<double>(report.elapsed_ns) / 1e6},
                         {"noisy_machine", report.noisy_machine},
                         {"notes", report.notes},
                         {"plan", std::move(plan)},
                         {"reference", report.reference}});
}

}  // namespace axle
