// A recorded run as lanes of spans, and the kernels that took longest.
#include <fmt/format.h>

#include <algorithm>

#include "explain/html.h"
#include "explain/run_spans.h"

namespace axle::html {
namespace {

constexpr size_t kMostKernels = 25;
constexpr int kLaneHeight = 24;
constexpr int kTicks = 4;
constexpr double kLabelPercent = 0.4;  // narrower spans carry their name as a tooltip only

// Colours of what belongs to no partition.
const char* class_of(TraceCategory category) {
  switch (category) {
    case TraceCategory::kRun: return "t-run";
    case TraceCategory::kCopy: return "t-copy";
    case TraceCategory::kQueue: return "t-queue";
    default: return "t-other";
  }
}

std::string look_of(const PageFacts& facts, const TraceEvent& event) {
  if (event.category == TraceCategory::kPartition) return "fill " + partition_class(facts, event.partition);
  if (event.category == TraceCategory::kKernel) return "fill soft " + partition_class(facts, event.partition);
  return class_of(event.category);
}

std::string span_svg(const PageFacts& facts, const RunSpan& span, const TraceEvent& run) {
  const TraceEvent& event = *span.event;
  const auto whole = static_cast<double>(run.duration_ns);
  const double share = 100 * static_cast<double>(event.duration_ns) / whole;
  const std::string name = escaped(span_name(*facts.log, event), 160);
  std::string out = fmt::format(
      "<svg class=\"span\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}: {}, {:.1f} % of the run, {} after its "
      "start</title><rect width=\"100%\" height=\"100%\" rx=\"2\" class=\"{}\"/>",
      percent(static_cast<double>(event.start_ns - run.start_ns), whole), span.depth * kLaneHeight,
      percent(static_cast<double>(std::max<int64_t>(event.duration_ns, 1)), whole), kLaneHeight - 2, name,
      format_duration(event.duration_ns), share, format_duration(std::max<int64_t>(event.start_ns - run.start_ns, 0)),
      look_of(facts, event));
  if (share >= kLabelPercent) out += fmt::format("<text x=\"4\" y=\"15\">{}</text>", name);
  return out + "</svg>\n";
}

std::string lane_name(const PageFacts& facts, const RunLane& lane) {
  std::string name = fmt::format("thread {}", lane.thread);
  const auto found = std::find_if(facts.plan->partitions.begin(), facts.plan->partitions.end(),
                                  [&](const Partition& part) { return part.id == lane.partition; });
  if (found == facts.plan->partitions.end()) return name;
  return fmt::format("{}, partition {}: {} on {}", name, lane.partition, escaped(found->candidate.engine, 60),
                     escaped(found->candidate.resource, 60));
}

std::string lane_html(const PageFacts& facts, const RunLane& lane, const std::vector<RunSpan>& spans, const TraceEvent& run) {
  size_t depth = 0;
  for (const RunSpan& span : spans) depth = std::max(depth, span.depth + 1);
  const std::string name = lane_name(facts, lane);
  std::string out = fmt::format(
      "<p class=\"dim lane-name\">{0}</p><svg class=\"lane\" height=\"{1}\" role=\"img\" aria-label=\"Spans of {0}\">\n", name,
      depth * kLaneHeight);
  for (const RunSpan& span : spans) out += span_svg(facts, span, run);
  return out + "</svg>\n";
}

std::string ruler(const TraceEvent& run) {
  std::string out = "<svg class=\"ruler\" height=\"20\" aria-hidden=\"true\">";
  for (int i = 0; i <= kTicks; ++i) {
    out +=
        fmt::format("<line class=\"grid\" x1=\"{0}%\" x2=\"{0}%\" y1=\"14\" y2=\"20\"/><text x=\"{0}%\" y=\"12\"{1}>{2}</text>",
                    100 * i / kTicks,
                    i == 0        ? ""
                    : i == kTicks ? " class=\"end\""
                                  : " class=\"mid\"",
                    i == 0 ? "0" : format_duration(run.duration_ns * i / kTicks));
  }
  return out + "</svg>\n";
}

std::string legend(const PageFacts& facts, const RunSpans& spans) {
  bool copies = false, waits = false;
  for (const auto& [thread, lane] : spans.lanes) {
    for (const RunSpan& span : lane) {
      copies = copies || span.event->category == TraceCategory::kCopy;
      waits = waits || span.event->category == TraceCategory::kQueue;
    }
  }
  std::string out = place_legend(facts);
  std::string more = "<span><i class=\"t-run\"></i>the run</span>";
  if (copies) more += "<span><i class=\"t-copy\"></i>copies</span>";
  if (waits) more += "<span><i class=\"t-queue\"></i>waiting</span>";
  return "<div class=\"legends\">" + out + "<div class=\"legend\">" + more + "</div></div>\n";
}

std::string slowest_kernels(const PageFacts& facts, const RunSpans& spans) {
  const std::vector<KernelTime> times = kernel_times(*facts.log);
  if (times.empty()) return "<p class=\"dim\">The engine told of no kernels.</p>\n";
  std::string rows;
  for (size_t i = 0; i < times.size() && i < kMostKernels; ++i) {
    rows += fmt::format(
        "<tr><td><i class=\"dot {}\"></i>{}</td><td class=\"r\">{}</td><td class=\"r\">{:.1f} %</td><td "
        "class=\"r\">{}</td></tr>\n",
        partition_class(facts, times[i].partition), code(times[i].name), format_duration(times[i].time_ns),
        100 * static_cast<double>(times[i].time_ns) / static_cast<double>(spans.run->duration_ns), times[i].calls);
  }
  return folded(fmt::format("The {} kernels that took longest, of {}", std::min(times.size(), kMostKernels), times.size()),
                scrolled_table(
                    "<th>kernel</th><th class=\"r\">time</th><th class=\"r\">of the run</th><th class=\"r\">calls</th>", rows));
}

}  // namespace

std::string timeline(const PageFacts& facts) {
  if (facts.log == nullptr) return "";
  const RunSpans spans = last_run_spans(*facts.log, facts.plan->partitions.size() > 1);
  if (spans.run == nullptr) return "";
  std::string out = fmt::format(
      "<p>One run of {}, recorded; recording itself takes time. Where an engine tells only how long its kernels "
      "took, they are drawn one after the other from the start of its call.</p>\n",
      format_duration(spans.run->duration_ns));
  out += legend(facts, spans);
  out +=
      "<div class=\"card time\"><div class=\"tools js-only\"><button type=\"button\" data-stretch=\"2\" aria-label=\"Zoom "
      "in\">+</button>"
      "<button type=\"button\" data-stretch=\"0.5\" aria-label=\"Zoom out\">\u2212</button></div><div class=\"lanes\"><div "
      "id=\"lanes\">\n";
  out += ruler(*spans.run);
  for (const auto& [lane, inside] : spans.lanes) out += lane_html(facts, lane, inside, *spans.run);
  out += "</div></div>\n<p id=\"span-note\" class=\"note js-only\">Tap a span for its name and time.</p></div>\n";
  if (spans.left_out > 0) out += fmt::format("<p class=\"dim\">The {} shortest spans are not drawn.</p>\n", spans.left_out);
  if (facts.log->lost > 0) out += fmt::format("<p class=\"dim\">{} earlier events were overwritten.</p>\n", facts.log->lost);
  return out + slowest_kernels(facts, spans);
}

}  // namespace axle::html
