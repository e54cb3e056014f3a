// `axle devices --measure` (docs/formats/devices-document.md).
#include <fmt/format.h>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"

namespace axle {

std::string render_machine_figures_text(const MachineFigures& figures, const TextStyle& style) {
  TextTable table({{"measured"}, {"at most", true}, {"threads", true}, {"with"}});
  for (const NodeBandwidth& node : figures.nodes) {
    table.add_row({{fmt::format("memory of node {}", node.node), Tone::kStrong},
                   {fmt::format("{:.1f} GB/s", static_cast<double>(node.megabytes_per_second) / 1e3)},
                   {std::to_string(node.threads)},
                   {"reads"}});
  }
  for (const PeakFigure& peak : figures.peaks) {
    table.add_row({{peak.precision, Tone::kStrong},
                   {fmt::format("{:.1f} GFLOP/s", static_cast<double>(peak.megaflops) / 1e3)},
                   {std::to_string(peak.threads)},
                   {peak.instructions}});
  }
  std::string out = table.render(style.width, style.color);
  if (figures.noisy_machine)
    out += toned("note: the machine was busy elsewhere meanwhile: the figures are too low\n", Tone::kWarn, style.color);
  for (const std::string& note : figures.notes) out += note_text(note, style.width);
  return out;
}

Result<std::string> render_machine_figures_json(const MachineFigures& figures) {
  Json nodes = Json::array(), peaks = Json::array();
  for (const NodeBandwidth& node : figures.nodes)
    nodes.push_back({{"node", node.node}, {"megabytes_per_second", node.megabytes_per_second}, {"threads", node.threads}});
  for (const PeakFigure& peak : figures.peaks)
    peaks.push_back({{"precision", peak.precision},
                     {"instructions", peak.instructions},
                     {"megaflops", peak.megaflops},
                     {"threads", peak.threads}});
  return canonical_json({{"fingerprint", figures.machine},
                         {"measured", {{"nodes", std::move(nodes)}, {"peaks", std::move(peaks)}}},
                         {"recorded_unix_s", figures.recorded_unix_s},
                         {"noisy_machine", figures.noisy_machine},
                         {"notes", figures.notes}});
}

}  // namespace axle
