#include "explain/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "explain/text_table.h"
#include "spec/candidate.h"

namespace axle {
namespace {

constexpr size_t kOutputsShown = 4;

// "openvino@cpu:0/int8~qdq-1a2b3c4d"; "" for what is judged by the reference's own precision or is no plain candidate.
std::string group_of(const CandidateError& row) {
  const auto candidate = parse_candidate(row.candidate);
  const auto reference = parse_candidate(row.error->reference);
  if (!candidate || (reference && candidate->precision == reference->precision)) return "";
  return candidate->engine + "@" + candidate->resource + "/" + candidate->precision +
         (candidate->variant.empty() ? "" : "~" + candidate->variant);
}

void add_outputs(const std::string& group, const ErrorFigures& error, bool all, TextTable& table) {
  std::vector<OutputFigures> outputs = error.outputs;
  if (outputs.empty())  // recorded before outputs were kept apart
    outputs.push_back(
        {error.worst_output, error.max_relative, error.relative_l2, error.cosine, error.top1_agreement, error.mismatches});
  std::stable_sort(outputs.begin(), outputs.end(),
                   [](const OutputFigures& a, const OutputFigures& b) { return a.max_relative > b.max_relative; });
  const size_t shown = all ? outputs.size() : std::min(outputs.size(), kOutputsShown);
  for (size_t i = 0; i < shown; ++i) {
    const OutputFigures& o = outputs[i];
    table.add_row({{i == 0 ? group : ""},
                   {o.name},
                   {fmt::format("{:.1e}", o.max_relative)},
                   {fmt::format("{:.1e}", o.relative_l2)},
                   {fmt::format("{:.6f}", o.cosine)},
                   {fmt::format("{:.2f} %", 100 * o.top1_agreement)}});
  }
  if (shown < outputs.size()) table.add_row({{""}, {fmt::format("... {} more with less: add -v", outputs.size() - shown)}});
}

}  // namespace

std::string render_error_table(const std::vector<CandidateError>& errors, const TextStyle& style, std::string_view indent) {
  std::map<std::string, const ErrorFigures*> worst;
  std::vector<std::string> order;
  for (const CandidateError& row : errors) {
    const std::string group = group_of(row);
    if (group.empty()) continue;
    const ErrorFigures*& known = worst[group];
    if (known == nullptr) order.push_back(group);
    if (known == nullptr || row.error->max_relative > known->max_relative) known = row.error;
  }
  if (order.empty()) return "";
  TextTable table({{"error of", false, false, true},
                   {"output", false, false, true},
                   {"max relative", true},
                   {"relative L2", true},
                   {"cosine", true},
                   {"top-1", true}});
  for (const std::string& group : order) add_outputs(group, *worst[group], style.verbose, table);
  return table.render(style.width, style.color, indent);
}

}  // namespace axle
