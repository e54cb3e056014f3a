#include <fmt/format.h>

#include <algorithm>

#include "axle/bench.h"
#include "axle/explain.h"
#include "base/json.h"
#include "base/text.h"
#include "explain/text_table.h"
#include "spec/batching_text.h"
#include "spec/candidate.h"

namespace axle {
namespace {

double microseconds(double duration_ns) { return duration_ns / 1e3; }

Tone tone_of(const std::string& verdict) {
  if (verdict == "slower") return Tone::kGood;
  if (verdict == "failed") return Tone::kBad;
  if (verdict == "faster" || verdict == "undecided") return Tone::kWarn;
  return Tone::kPlain;
}

std::string percentile(const char* name, int64_t value_ns, bool certain, int wanted, int64_t calls) {
  if (certain) return fmt::format("{} {}", name, format_duration(value_ns));
  return fmt::format("{} {} (uncertain: {} calls, {} wanted)", name, format_duration(value_ns), calls, wanted);
}

std::string ratio_text(const BenchRival& rival) {
  if (rival.ratio <= 0) return "-";
  if (rival.ratio_high <= 0) return fmt::format("{:.3f}x", rival.ratio);
  return fmt::format("{:.3f}x [{:.3f}, {:.3f}]", rival.ratio, rival.ratio_low, rival.ratio_high);
}

std::string rivals_text(const BenchReport& report, const TextStyle& style) {
  TextTable table({{"engine"}, {"candidate"}, {"p50", true}, {"its time / ours"}, {"pairs", true}, {"it is", false, true}});
  for (const BenchRival& rival : report.rivals) {
    const bool ran = rival.failure.ok();
    table.add_row({{rival.engine},
                   {rival.candidate},
                   {ran ? format_duration(rival.latency.p50_ns) : "-"},
                   {ratio_text(rival)},
                   {std::to_string(rival.pairs)},
                   {ran ? rival.verdict : rival.failure.message(), tone_of(rival.verdict)}});
  }
  return table.render(style.width, style.color);
}

Json latency_json(const LatencyFigures& figures) {
  return {{"p50", microseconds(static_cast<double>(figures.p50_ns))},
          {"p95", microseconds(static_cast<double>(figures.p95_ns))},
          {"p99", microseconds(static_cast<double>(figures.p99_ns))},
          {"min", microseconds(static_cast<double>(figures.min_ns))},
          {"mean", microseconds(figures.mean_ns)},
          {"calls", figures.calls}};
}

Json uncertain_json(const LatencyFigures& figures) {
  Json names = Json::array();
  if (!figures.p95_certain()) names.push_back("p95");
  if (!figures.p99_certain()) names.push_back("p99");
  return names;
}

Json rival_json(const BenchRival& rival) {
  Json row = {{"engine", rival.engine}, {"candidate", rival.candidate}, {"verdict", rival.verdict}};
  if (!rival.failure.ok()) {
    row["reason"] = rival.failure.message();
    row["code"] = std::string(status_code_name(rival.failure.code()));
    for (const char* key : {"p50_us", "ratio", "interval"}) row[key] = nullptr;
    return row;
  }
  row["p50_us"] = microseconds(static_cast<double>(rival.latency.p50_ns));
  row["latency_us"] = latency_json(rival.latency);
  row["throughput_per_s"] = rival.throughput_per_s;
  row["pairs"] = rival.pairs;
  row["ratio"] = rival.ratio > 0 ? Json(rival.ratio) : Json(nullptr);
  row["interval"] = rival.ratio_high > 0 ? Json({rival.ratio_low, rival.ratio_high}) : Json(nullptr);
  return row;
}

// Every candidate of the plan once, and how they work together when they do.
std::string what_runs(const Plan& plan) {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates_of(plan.partitions)) names.push_back(candidate.format());
  const std::string each = plan.each.empty() ? "" : plan.each + "s of ";
  return (plan.schedule == "single" ? "" : plan.schedule + " of " + each) + join(names, " + ");
}

}  // namespace

namespace {

std::string qos_text(const QosReport& report, const TextStyle& style) {
  std::string out;
  for (const QosBound& bound : report.bounds) {
    const auto text = [&](double value) {
      if (bound.constraint == "throughput_min") return fmt::format("{:.1f}/s", value);
      if (bound.constraint == "memory") return format_size_bytes(static_cast<int64_t>(value));
      if (bound.constraint == "power") return fmt::format("{:.1f} W", value);
      return format_duration(static_cast<int64_t>(value));
    };
    if (!bound.not_measured.empty()) {
      out += fmt::format("  {} of at most {}: not measured: {}\n", bound.constraint, text(bound.limit), bound.not_measured);
      continue;
    }
    out += fmt::format("  {} {} of {}", bound.constraint, text(bound.value), text(bound.limit));
    if (bound.window_size > 0) out += fmt::format(" over the last {} runs", bound.window_runs);
    out += ": ";
    out += bound.violated ? toned("violated", Tone::kBad, style.color) : toned("kept", Tone::kGood, style.color);
    out += bound.violations > 0 ? fmt::format(", came to be violated {} times\n", bound.violations) : std::string("\n");
  }
  return out;
}

// How many of the timed calls were computed together.
std::string batching_line(const Session& session, const BatchStatistics& statistics) {
  const double per_run =
      statistics.runs > 0 ? static_cast<double>(statistics.requests) / static_cast<double>(statistics.runs) : 0;
  std::string out = fmt::format("  joined {}: {:.2f} requests per run, {} of {} with others",
                                batching_text(session.plan().batching), per_run, statistics.joined, statistics.requests);
  if (statistics.redone > 0) out += fmt::format(", {} computed again alone", statistics.redone);
  return out + "\n";
}

Json batching_json(const BatchStatistics& statistics) {
  return {{"joined", statistics.joined},
          {"most_rows", statistics.most_rows},
          {"redone", statistics.redone},
          {"requests", statistics.requests},
          {"runs", statistics.runs}};
}

}  // namespace

std::string render_bench_text(const BenchReport& report, const TextStyle& style) {
  const LatencyFigures& figures = report.latency;
  const std::string name = report.session ? what_runs(report.session->plan()) : "";
  std::string out =
      fmt::format("{}, {} caller{}\n", toned(name, Tone::kStrong, style.color), report.callers, report.callers == 1 ? "" : "s");
  out += fmt::format("  p50 {}   {}   {}   mean {}   min {}\n", format_duration(figures.p50_ns),
                     percentile("p95", figures.p95_ns, figures.p95_certain(), 20, figures.calls),
                     percentile("p99", figures.p99_ns, figures.p99_certain(), 1000, figures.calls),
                     format_duration(static_cast<int64_t>(figures.mean_ns)), format_duration(figures.min_ns));
  out += fmt::format("  {:.1f} calls/s; {} calls in {} blocks", report.throughput_per_s, figures.calls, report.blocks);
  if (report.disturbed_blocks > 0) out += fmt::format(", {} disturbed", report.disturbed_blocks);
  out += fmt::format("; first call {}; measured for {}\n", format_duration(report.first_run_ns),
                     format_duration(report.elapsed_ns));
  if (report.session && report.session->plan().batching.on()) out += batching_line(*report.session, report.batching);
  if (!report.rivals.empty()) out += rivals_text(report, style);
  if (report.session) out += qos_text(report.session->qos(), style);
  for (const std::string& note : report.notes) out += note_text(note, style.width);
  return out;
}

Result<std::string> render_bench_json(const RunDocument& document, const BenchReport& report) {
  AXLE_ASSIGN_OR_RETURN(const std::string text, render_run_json(document));
  AXLE_ASSIGN_OR_RETURN(Json root, parse_json(text));
  root["latency_us"] = latency_json(report.latency);
  root["uncertain"] = uncertain_json(report.latency);
  root["throughput_per_s"] = report.throughput_per_s;
  root["callers"] = report.callers;
  root["compare"] = Json::array();
  for (const BenchRival& rival : report.rivals) root["compare"].push_back(rival_json(rival));
  if (report.session && report.session->plan().batching.on()) root["batching"] = batching_json(report.batching);
  root["blocks"] = {{"counted", report.blocks}, {"disturbed", report.disturbed_blocks}};
  root["elapsed_ms"] = static_cast<double>(report.elapsed_ns) / 1e6;
  root["noisy_machine"] = report.noisy_machine;
  root["notes"] = report.notes;
  return canonical_json(root);
}

}  // namespace axle
