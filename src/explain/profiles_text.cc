#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "axle/explain.h"
#include "base/text.h"
#include "explain/text_table.h"
#include "spec/device_profile_json.h"

namespace axle {
namespace {

// An estimate is marked wherever it is shown.
std::string shown(const Figure& figure, double scale, const char* unit) {
  if (figure.value == 0) return "-";
  const char* mark = figure.kind == FigureKind::kEstimate ? "~" : "";
  return fmt::format("{}{:.4g}{}", mark, static_cast<double>(figure.value) / scale, unit);
}

std::string peaks_text(const DeviceProfile& profile) {
  std::vector<std::string> texts;
  for (const auto& [precision, figure] : profile.peaks) texts.push_back(precision + " " + shown(figure, 1e6, ""));
  return texts.empty() ? "by its instructions" : join(texts, ", ");
}

std::string engines_text(const DeviceProfile& profile) {
  std::vector<std::string> names;
  for (const ProfileEngine& engine : profile.engines) names.push_back(engine.name);
  return names.empty() ? "-" : join(names, ", ");
}

std::string source_line(std::string_view what, const Figure& figure, double scale, const char* unit) {
  if (figure.value == 0) return "";
  return fmt::format("    {}: {} ({}) {}\n", what, shown(figure, scale, unit), figure_kind_name(figure.kind), figure.source);
}

// One figure of a profile as a line of its own.
struct SourceLine {
  std::string_view what;
  const Figure& figure;
  double scale;
  const char* unit;
};

std::string source_lines(std::initializer_list<SourceLine> lines) {
  std::string out;
  for (const SourceLine& line : lines) out += source_line(line.what, line.figure, line.scale, line.unit);
  return out;
}

std::string bank_sources_text(const BankFigures& banks) {
  if (banks.count.value == 0) return "";
  return source_lines({{"modules", banks.modules, 1, ""},
                       {"ranks", banks.ranks, 1, ""},
                       {"banks", banks.count, 1, ""},
                       {"memory of a bank", banks.memory, 1048576.0, " MiB"},
                       {"scratchpad of a bank", banks.working_memory, 1024.0, " KiB"},
                       {"bandwidth of a bank", banks.bandwidth, 1e3, " GB/s"},
                       {"clock", banks.frequency, 1, " MHz"},
                       {"host to banks", banks.to_banks, 1e3, " GB/s"},
                       {"the same to all banks", banks.broadcast, 1e3, " GB/s"},
                       {"banks to host", banks.from_banks, 1e3, " GB/s"}});
}

std::string sources_text(const DeviceProfile& p) {
  std::string out = fmt::format("  {}\n", p.name);
  for (const auto& [precision, figure] : p.peaks) out += source_line(precision, figure, 1e6, " x 10^12/s");
  out += source_lines({{"memory bandwidth", p.memory_bandwidth, 1e3, " GB/s"},
                       {"memory size", p.memory_size, 1073741824.0, " GiB"},
                       {"link bandwidth", p.link_bandwidth, 1e3, " GB/s"},
                       {"power", p.power, 1e3, " W"},
                       {"launch of a node", p.node_launch, 1e3, " us"},
                       {"launch of a run", p.call_launch, 1e3, " us"}});
  out += bank_sources_text(p.banks);
  for (const ProfileEngine& engine : p.engines)
    out += fmt::format("    engine {} ({}): {}\n", engine.name, join(engine.precisions, ", "), engine.source);
  return out;
}

}  // namespace

std::string render_profiles_text(const std::vector<DeviceProfile>& profiles, const std::vector<std::string>& machines,
                                 const TextStyle& style) {
  TextTable table({{"profile"}, {"kind"}, {"10^12 operations/s", false, true}, {"GB/s", true}, {"W", true}, {"engines"}});
  for (const DeviceProfile& p : profiles) {
    table.add_row({{p.name, Tone::kStrong},
                   {std::string(resource_kind_name(p.kind))},
                   {peaks_text(p)},
                   {shown(p.memory_bandwidth, 1e3, "")},
                   {shown(p.power, 1e3, "")},
                   {engines_text(p)}});
  }
  std::string out = table.render(style.width, style.color);
  out += "~ marks an estimate; -v gives the source of every figure\n\n";
  out += "machines to plan for (axle plan MODEL --machine NAME):\n";
  for (const std::string& line : wrap_text(join(machines, ", "), static_cast<size_t>(std::max(style.width, 40)) - 2))
    out += "  " + line + "\n";
  if (!style.verbose) return out;
  out += "\nsources:\n";
  for (const DeviceProfile& profile : profiles) out += sources_text(profile);
  return out;
}

Result<std::string> render_profiles_json(const std::vector<DeviceProfile>& profiles, const std::vector<std::string>& machines) {
  Json list = Json::array();
  for (const DeviceProfile& profile : profiles) list.push_back(device_profile_to_json_value(profile));
  return canonical_json({{"machines", machines}, {"profiles", std::move(list)}});
}

}  // namespace axle
