// Memory: what the plan needs by estimate, and what was measured.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "explain/html.h"

namespace axle::html {
namespace {

constexpr size_t kMostSteps = 400;  // points of the curve

struct Need {
  uint64_t weights = 0, live = 0;
  uint64_t sum() const { return weights + live; }
};

std::string bar(const Need& need, uint64_t most, const std::string& look) {
  const auto full = static_cast<double>(most), weights = static_cast<double>(need.weights),
             live = static_cast<double>(need.live);
  return fmt::format(
      "<svg class=\"bar\" aria-hidden=\"true\"><rect class=\"fill {0}\" y=\"1\" height=\"12\" width=\"{1}\"/><rect "
      "class=\"fill soft {0}\" "
      "x=\"{1}\" y=\"1\" height=\"12\" width=\"{2}\"/></svg>",
      look, percent(weights, full), percent(live, full));
}

std::string partition_table(const PageFacts& facts) {
  std::vector<Need> needs;
  uint64_t most = 1;
  for (size_t i = 0; i < facts.plan->partitions.size(); ++i) {
    const std::vector<uint64_t> live = live_bytes(facts, facts.nodes_of_partition[i]);
    needs.push_back({partition_weight_bytes(facts, i), live.empty() ? 0 : *std::max_element(live.begin(), live.end())});
    most = std::max(most, needs.back().sum());
  }
  std::string rows;
  for (size_t i = 0; i < needs.size(); ++i) {
    const Partition& part = facts.plan->partitions[i];
    const std::string look = partition_class(facts, static_cast<int32_t>(i));
    rows += fmt::format(
        "<tr><td class=\"wide\"><i class=\"dot {}\"></i>{} <span class=\"dim\">{}</span>{}</td><td class=\"r\">{}</td><td "
        "class=\"r\">{}</td></tr>\n",
        look, part.id, code(part.candidate.engine + "@" + part.candidate.resource), bar(needs[i], most, look),
        format_size(needs[i].weights), format_size(needs[i].live));
  }
  return scrolled_table("<th>partition</th><th class=\"r\">weights</th><th class=\"r\">activations</th>", rows);
}

// Activations alive over the nodes of the whole model, as the largest of each step.
std::string curve(const PageFacts& facts) {
  std::vector<int32_t> all(facts.model->nodes.size());
  std::iota(all.begin(), all.end(), 0);
  const std::vector<uint64_t> live = live_bytes(facts, all);
  if (live.size() < 2) return "";
  const uint64_t most = std::max<uint64_t>(*std::max_element(live.begin(), live.end()), 1);
  const size_t steps = std::min(live.size(), kMostSteps);
  std::string areas;
  std::string path;
  int32_t before = -2;
  const auto close = [&](size_t at) {
    if (!path.empty())
      areas += fmt::format("<path class=\"fill soft {}\" d=\"{}V100Z\"/>", partition_class(facts, before), path);
    path = fmt::format("M{:.2f} 100", 1000.0 * static_cast<double>(at) / static_cast<double>(steps));
  };
  for (size_t step = 0; step < steps; ++step) {
    const size_t first = step * live.size() / steps, last = std::max(first + 1, (step + 1) * live.size() / steps);
    const uint64_t peak =
        *std::max_element(live.begin() + static_cast<ptrdiff_t>(first), live.begin() + static_cast<ptrdiff_t>(last));
    if (const int32_t partition = facts.partition_of_node[first]; partition != before) {
      close(step);
      before = partition;
    }
    path += fmt::format("V{:.2f}H{:.2f}", 100 - 100 * static_cast<double>(peak) / static_cast<double>(most),
                        1000.0 * static_cast<double>(step + 1) / static_cast<double>(steps));
  }
  close(steps);
  return fmt::format(
      "<div class=\"card plot\"><svg height=\"146\" role=\"img\" aria-label=\"Activations alive while the model runs\"><text "
      "x=\"0\" "
      "y=\"12\">{}</text><svg y=\"18\" height=\"100\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\">{}</svg><line "
      "class=\"grid\" "
      "x1=\"0\" x2=\"100%\" y1=\"118\" y2=\"118\"/><text x=\"0\" y=\"136\">first node</text><text class=\"end\" x=\"100%\" "
      "y=\"136\">last of {}</text></svg></div>\n",
      format_size(most), areas, live.size());
}

// Measured peaks by candidate, the newest row of each.
std::string measured(const PageFacts& facts) {
  std::map<std::string, const EvidenceRow*> newest;
  for (const EvidenceRow& row : facts.input->evidence) {
    if (row.kind == EvidenceKind::kMeasured && row.key.part.empty() && row.peak_memory_bytes > 0)
      newest[row.key.candidate] = &row;
  }
  if (newest.empty()) return "<p class=\"dim\">No recorded measurement of this model has a peak of memory.</p>\n";
  uint64_t most = 1;
  for (const auto& [candidate, row] : newest) most = std::max(most, row->peak_memory_bytes);
  std::string rows;
  for (const auto& [candidate, row] : newest) {
    rows += fmt::format("<tr><td class=\"wide\">{}{}{}</td><td class=\"r\">{}</td></tr>\n", code(candidate),
                        row->simulated ? " <span class=\"badge amber\">simulated</span>" : "",
                        bar({row->peak_memory_bytes, 0}, most, "px"), format_size(row->peak_memory_bytes));
  }
  return scrolled_table("<th>candidate</th><th class=\"r\">measured peak</th>", rows);
}

}  // namespace

std::string memory(const PageFacts& facts) {
  if (!facts.has_graph()) return "";
  std::string out = partition_table(facts);
  out +=
      "<p class=\"dim\"><span class=\"badge amber\">estimate</span> Weights as the model stores them (dark), and the most "
      "activations "
      "that are alive at once (light) when each tensor is freed after its last reader. Engines also need room of their "
      "own.</p>\n";
  return out + curve(facts) + measured(facts);
}

}  // namespace axle::html
