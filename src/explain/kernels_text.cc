// Where a recorded run spent its time, node by node.
#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
#include "explain/run_spans.h"
#include "explain/text_table.h"
#include "runtime/session_impl.h"

namespace axle {
namespace {

constexpr size_t kShown = 12;

std::string place_of(const Plan& plan, int32_t partition) {
  const auto found = std::ranges::find(plan.partitions, partition, &Partition::id);
  return found == plan.partitions.end() ? std::string() : found->candidate.engine + "@" + found->candidate.resource;
}

}  // namespace

Result<std::vector<KernelTime>> kernel_times(const Session& session) {
  const Session::Impl& impl = session.impl();
  if (!impl.recorder)
    return failed_precondition_error("this session records nothing").with_hint("create it with profile = true");
  return kernel_times(impl.recorder->log());
}

std::string render_kernels_text(const std::vector<KernelTime>& times, const Plan& plan, const TextStyle& style) {
  if (times.empty()) return "the engine told of no kernels\n";
  int64_t total_ns = 0, rest_ns = 0;
  for (const KernelTime& kernel : times) total_ns += kernel.time_ns;
  const size_t shown = style.verbose ? times.size() : std::min(times.size(), kShown);
  const auto share = [&](int64_t time_ns) {
    return fmt::format("{:.1f} %", total_ns > 0 ? 100 * static_cast<double>(time_ns) / static_cast<double>(total_ns) : 0);
  };
  TextTable table({{"time", true}, {"share", true}, {"calls", true}, {"where"}, {"node or kernel", false, true}});
  for (size_t i = 0; i < shown; ++i) {
    const KernelTime& kernel = times[i];
    table.add_row({{format_duration(kernel.time_ns)},
                   {share(kernel.time_ns)},
                   {std::to_string(kernel.calls)},
                   {place_of(plan, kernel.partition), Tone::kDim},
                   {kernel.name}});
  }
  for (size_t i = shown; i < times.size(); ++i) rest_ns += times[i].time_ns;
  if (shown < times.size()) {
    table.add_row({{format_duration(rest_ns)},
                   {share(rest_ns)},
                   {},
                   {},
                   {fmt::format("{} more (-v lists them)", times.size() - shown), Tone::kDim}});
  }
  return table.render(style.width, style.color);
}

}  // namespace axle
