#include <fmt/format.h>

#include <ctime>

#include "axle/explain.h"
#include "explain/text_table.h"

namespace axle {

std::string render_evidence_text(const std::vector<EvidenceRow>& rows, const TextStyle& style) {
  if (rows.empty()) return "no measurements yet: axle tune MODEL makes some\n";
  TextTable table(
      {{"model"}, {"candidate"}, {"p50", true}, {"runs", true}, {"error"}, {"shapes, or the failure", false, true}});
  for (const EvidenceRow& row : rows) {
    const bool failed = row.kind == EvidenceKind::kFailed;
    table.add_row({{row.key.model_digest.substr(0, 19)},
                   {row.key.candidate, failed ? Tone::kBad : Tone::kStrong},
                   {row.p50_ns > 0 ? format_duration(row.p50_ns) : "-"},
                   {std::to_string(row.runs)},
                   {row.error ? fmt::format("{:.1e}", row.error->max_relative) : ""},
                   {failed ? row.failure_text : row.key.shapes}});
  }
  return table.render(style.width, style.color);
}

}  // namespace axle
