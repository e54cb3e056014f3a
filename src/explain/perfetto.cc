#include "explain/perfetto.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/utf8.h"

namespace axle {
namespace {

constexpr int kProcess = 1;
constexpr size_t kMaxDetailBytes = 64u << 10;

// Engines name their events: what is not UTF-8 cannot stand in JSON.
std::string clean(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      out += c;
    else
      out += fmt::format("\\x{:02x}", byte);
  }
  return out;
}

double microseconds(int64_t ns) { return static_cast<double>(ns) / 1000.0; }

// What the engine added: the members of a JSON object, else the text itself.
Json detail_of(std::string_view text) {
  if (text.empty()) return Json::object();
  if (auto parsed = parse_json(text, kMaxDetailBytes, 16); parsed.ok() && parsed->is_object()) return *std::move(parsed);
  return {{"detail", clean(text)}};
}

const Candidate* candidate_of(const Plan& plan, int32_t partition) {
  const auto found =
      std::find_if(plan.partitions.begin(), plan.partitions.end(), [&](const Partition& part) { return part.id == partition; });
  return found != plan.partitions.end() ? &found->candidate : nullptr;
}

Json event_json(const TraceEvent& event, const TraceLog& log, const Plan& plan, int64_t start_ns) {
  std::string name = clean(log.text(event.name));
  if (name.empty()) name = trace_category_name(event.category);
  Json json = {{"cat", trace_category_name(event.category)},
               {"name", name},
               {"pid", kProcess},
               {"tid", event.thread},
               {"ts", microseconds(event.start_ns - start_ns)}};
  Json args = detail_of(log.text(event.detail));
  switch (event.phase) {
    case TracePhase::kSpan:
      json["ph"] = "X";
      json["dur"] = microseconds(std::max<int64_t>(event.duration_ns, 0));
      break;
    case TracePhase::kInstant:
      json["ph"] = "i";
      json["s"] = "t";
      break;
    case TracePhase::kCounter:
      json["ph"] = "C";
      args = {{name, event.value}};
      break;
  }
  if (event.phase != TracePhase::kCounter) {
    if (event.run != 0) args["run"] = event.run;
    if (event.value != 0) args[event.category == TraceCategory::kCopy ? "bytes" : "value"] = event.value;
    if (event.partition >= 0) args["partition"] = event.partition;
    if (const Candidate* candidate = candidate_of(plan, event.partition)) args["candidate"] = clean(candidate->format());
  }
  if (!args.empty()) json["args"] = std::move(args);
  return json;
}

Json metadata(const char* what, const std::string& name, uint32_t thread) {
  return {{"args", {{"name", name}}}, {"name", what}, {"ph", "M"}, {"pid", kProcess}, {"tid", thread}};
}

}  // namespace

Result<std::string> write_perfetto(const TraceLog& log, const Plan& plan) {
  const int64_t start_ns = log.events.empty() ? 0 : log.events.front().start_ns;
  std::string events;
  const auto add = [&](const Json& event) -> Status {
    AXLE_ASSIGN_OR_RETURN(const std::string text, canonical_json(event));
    if (!events.empty()) events += ',';
    events += text;
    return ok_status();
  };
  AXLE_RETURN_IF_ERROR(add(metadata("process_name", "axle", 0)));
  std::set<uint32_t> threads;
  for (const TraceEvent& event : log.events) threads.insert(event.thread);
  for (const uint32_t thread : threads) {
    AXLE_RETURN_IF_ERROR(add(metadata("thread_name", fmt::format("thread {}", thread), thread)));
  }
  for (const TraceEvent& event : log.events) AXLE_RETURN_IF_ERROR(add(event_json(event, log, plan, start_ns)));
  const Json other = {{"lost_events", static_cast<int64_t>(log.lost)},
                      {"model", plan.model_digest},
                      {"plan", plan.digest()},
                      {"start_monotonic_ns", fmt::format("{}", start_ns)}};
  AXLE_ASSIGN_OR_RETURN(const std::string about, canonical_json(other));
  // Put together by hand, in canonical order: a JSON value of 65,536 events would take a hundred times their bytes.
  return fmt::format(R"({{"displayTimeUnit":"ns","otherData":{},"traceEvents":[{}]}})", about, events);
}

}  // namespace axle
