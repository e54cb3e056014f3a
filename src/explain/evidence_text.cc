#include <fmt/format.h>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"
#include "spec/evidence_json.h"

namespace axle {
namespace {

constexpr int64_t kHour = 3600, kDay = 24 * kHour;

std::string age_text(int64_t age_s) {
  if (age_s < 0) return "-";
  if (age_s < kHour) return fmt::format("{} min", age_s / 60);
  return age_s < 2 * kDay ? fmt::format("{} h", age_s / kHour) : fmt::format("{} days", age_s / kDay);
}

Tone tone_of(EvidenceStanding standing) {
  if (standing == EvidenceStanding::kCounts) return Tone::kPlain;
  return standing == EvidenceStanding::kElsewhere ? Tone::kDim : Tone::kWarn;
}

}  // namespace

std::string render_evidence_text(const std::vector<EvidenceRow>& rows, const std::vector<EvidenceAge>& ages,
                                 const TextStyle& style) {
  if (rows.empty()) return "no measurements yet: axle tune MODEL makes some\n";
  TextTable table({{"model"},
                   {"candidate"},
                   {"p50", true},
                   {"runs", true},
                   {"memory", true},
                   {"error"},
                   {"age", true},
                   {"stands"},
                   {"why, or the shapes", false, true}});
  for (size_t i = 0; i < rows.size() && i < ages.size(); ++i) {
    const EvidenceRow& row = rows[i];
    const bool failed = row.kind == EvidenceKind::kFailed;
    std::string why = failed ? row.failure_text : row.key.shapes;
    if (!ages[i].reason.empty()) why = ages[i].reason;
    table.add_row({{row.key.model_digest.substr(0, 19)},
                   {row.key.candidate, failed ? Tone::kBad : Tone::kStrong},
                   {row.p50_ns > 0 ? format_duration(row.p50_ns) : "-"},
                   {std::to_string(row.runs)},
                   {row.peak_memory_bytes > 0 ? format_size(row.peak_memory_bytes) : ""},
                   {row.error ? fmt::format("{:.1e}", row.error->max_relative) : ""},
                   {age_text(ages[i].age_s)},
                   {std::string(evidence_standing_name(ages[i].standing)) + (row.simulated ? ", simulated" : ""),
                    tone_of(ages[i].standing)},
                   {why}});
  }
  return table.render(style.width, style.color);
}

Result<std::string> render_evidence_json(const std::vector<EvidenceRow>& rows, const std::vector<EvidenceAge>& ages) {
  Json list = Json::array(), standings = Json::array();
  for (const EvidenceRow& row : rows) list.push_back(evidence_row_to_json(row));
  for (const EvidenceAge& age : ages) {
    standings.push_back(
        {{"age_s", age.age_s}, {"standing", std::string(evidence_standing_name(age.standing))}, {"reason", age.reason}});
  }
  return canonical_json(
      {{"format", "axle-evidence"}, {"rows", std::move(list)}, {"standings", std::move(standings)}, {"version", 1}});
}

}  // namespace axle
