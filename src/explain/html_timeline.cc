// A recorded run as lanes of spans, and the kernels that took longest.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "axle/explain.h"
#include "explain/html.h"

namespace axle::html {
namespace {

constexpr size_t kMostSpans = 3000;
constexpr size_t kMostKernels = 25;
constexpr int kLaneHeight = 20;
constexpr double kLabelPercent = 7;  // narrower spans carry their name as a tooltip only

struct Span {
  const TraceEvent* event;
  size_t depth = 0;
};

const char* color_of(TraceCategory category) {
  switch (category) {
    case TraceCategory::kRun: return "var(--k4)";
    case TraceCategory::kPartition: return "var(--k1)";
    case TraceCategory::kKernel: return "var(--k0)";
    case TraceCategory::kCopy: return "var(--k3)";
    case TraceCategory::kQueue: return "var(--warn)";
    default: return "var(--k2)";
  }
}

// The run that was recorded last; null without one.
const TraceEvent* last_run(const TraceLog& log) {
  const TraceEvent* last = nullptr;
  for (const TraceEvent& event : log.events) {
    if (event.category != TraceCategory::kRun || event.phase != TracePhase::kSpan) continue;
    if (last == nullptr || event.start_ns >= last->start_ns) last = &event;
  }
  return last != nullptr && last->duration_ns > 0 ? last : nullptr;
}

// Spans of `run`, by thread; a span lies below those that hold it.
std::map<uint32_t, std::vector<Span>> lanes_of(const TraceLog& log, const TraceEvent& run, size_t& left_out) {
  std::map<uint32_t, std::vector<Span>> lanes;
  const int64_t end_ns = run.start_ns + run.duration_ns;
  std::vector<const TraceEvent*> inside;
  for (const TraceEvent& event : log.events) {
    if (event.phase == TracePhase::kSpan && event.start_ns >= run.start_ns && event.start_ns <= end_ns)
      inside.push_back(&event);
  }
  if (inside.size() > kMostSpans) {
    std::stable_sort(inside.begin(), inside.end(),
                     [](const TraceEvent* a, const TraceEvent* b) { return a->duration_ns > b->duration_ns; });
    left_out = inside.size() - kMostSpans;
    inside.resize(kMostSpans);
  }
  std::stable_sort(inside.begin(), inside.end(), [](const TraceEvent* a, const TraceEvent* b) {
    return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->duration_ns > b->duration_ns;
  });
  std::map<uint32_t, std::vector<int64_t>> ends;  // of the spans that are open, outermost first
  for (const TraceEvent* event : inside) {
    std::vector<int64_t>& open = ends[event->thread];
    while (!open.empty() && open.back() <= event->start_ns) open.pop_back();
    lanes[event->thread].push_back({event, open.size()});
    open.push_back(event->start_ns + event->duration_ns);
  }
  return lanes;
}

std::string name_of(const TraceLog& log, const TraceEvent& event) {
  const std::string_view name = log.text(event.name);
  return std::string(name.empty() ? trace_category_name(event.category) : name);
}

std::string span_svg(const TraceLog& log, const Span& span, const TraceEvent& run) {
  const TraceEvent& event = *span.event;
  const auto whole = static_cast<double>(run.duration_ns);
  const double share = 100 * static_cast<double>(event.duration_ns) / whole;
  const std::string name = escaped(name_of(log, event));
  std::string out = fmt::format(
      "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}: {}</title><rect width=\"100%\" height=\"100%\" rx=\"2\" "
      "fill=\"{}\" stroke=\"var(--card)\" stroke-width=\"0.5\"/>",
      percent(static_cast<double>(event.start_ns - run.start_ns), whole), span.depth * kLaneHeight,
      percent(static_cast<double>(std::max<int64_t>(event.duration_ns, 1)), whole), kLaneHeight - 2, name,
      format_duration(event.duration_ns), color_of(event.category));
  if (share >= kLabelPercent) out += fmt::format("<text x=\"5\" y=\"13\">{}</text>", name);
  return out + "</svg>\n";
}

std::string lane_html(const TraceLog& log, uint32_t thread, const std::vector<Span>& spans, const TraceEvent& run) {
  size_t depth = 0;
  for (const Span& span : spans) depth = std::max(depth, span.depth + 1);
  std::string out = fmt::format("<p class=\"dim\">thread {}</p><svg class=\"lane\" height=\"{}\" role=\"img\">\n", thread,
                                depth * kLaneHeight);
  for (const Span& span : spans) out += span_svg(log, span, run);
  return out + "</svg>\n";
}

std::string legend() {
  std::string out = "<div class=\"legend\">";
  for (const TraceCategory category :
       {TraceCategory::kRun, TraceCategory::kPartition, TraceCategory::kKernel, TraceCategory::kCopy, TraceCategory::kQueue}) {
    out += fmt::format("<span><i style=\"background:{}\"></i>{}</span>", color_of(category), trace_category_name(category));
  }
  return out + "</div>\n";
}

std::string slowest_kernels(const TraceLog& log, const std::map<uint32_t, std::vector<Span>>& lanes, const TraceEvent& run) {
  struct Sum {
    int64_t total_ns = 0;
    int64_t calls = 0;
  };
  std::map<std::string, Sum> sums;
  for (const auto& [thread, spans] : lanes) {
    for (const Span& span : spans) {
      if (span.event->category != TraceCategory::kKernel) continue;
      Sum& sum = sums[name_of(log, *span.event)];
      sum.total_ns += span.event->duration_ns;
      ++sum.calls;
    }
  }
  std::vector<std::pair<std::string, Sum>> order(sums.begin(), sums.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.total_ns > b.second.total_ns; });
  if (order.empty()) return "<p class=\"dim\">The engine told of no kernels.</p>\n";
  std::string body =
      "<div class=\"scroll\"><table><tr><th>kernel</th><th class=\"r\">time</th><th class=\"r\">of the run</th><th "
      "class=\"r\">calls</th></tr>\n";
  for (size_t i = 0; i < order.size() && i < kMostKernels; ++i) {
    const auto& [name, sum] = order[i];
    body += fmt::format("<tr><td>{}</td><td class=\"r\">{}</td><td class=\"r\">{:.1f} %</td><td class=\"r\">{}</td></tr>\n",
                        code(name), format_duration(sum.total_ns),
                        100 * static_cast<double>(sum.total_ns) / static_cast<double>(run.duration_ns), sum.calls);
  }
  return folded(fmt::format("The {} kernels that took longest, of {}", std::min(order.size(), kMostKernels), order.size()),
                body + "</table></div>");
}

}  // namespace

std::string timeline(const TraceLog& log) {
  const TraceEvent* run = last_run(log);
  if (run == nullptr) return "";
  size_t left_out = 0;
  const auto lanes = lanes_of(log, *run, left_out);
  std::string out =
      fmt::format("<p>One run of {}, recorded; recording itself takes time.</p>\n", format_duration(run->duration_ns));
  out += legend() + "<div class=\"card\">";
  for (const auto& [thread, spans] : lanes) out += lane_html(log, thread, spans, *run);
  out += "</div>\n";
  if (left_out > 0) out += fmt::format("<p class=\"dim\">The {} shortest spans are not drawn.</p>\n", left_out);
  if (log.lost > 0) out += fmt::format("<p class=\"dim\">{} earlier events were overwritten.</p>\n", log.lost);
  return out + slowest_kernels(log, lanes, *run);
}

}  // namespace axle::html
