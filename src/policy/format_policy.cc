#include <fmt/format.h>

#include <array>

#include "axle/policy.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\u{:04X}", byte);
    else
      out += c;
  }
  return out + '"';
}

std::string list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + quoted(item);
  return out + ']';
}

template <typename T>
std::string number_list(const std::vector<T>& items) {
  return fmt::format("[{}]", fmt::join(items, ", "));
}

// The largest unit that keeps it whole.
std::string duration(int64_t ns) {
  constexpr std::array<std::pair<int64_t, const char*>, 3> kUnits = {{{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}}};
  for (const auto& [size, name] : kUnits) {
    if (ns % size == 0) return fmt::format("\"{}{}\"", ns / size, name);
  }
  return fmt::format("\"{}ns\"", ns);
}

std::string memory(uint64_t bytes) {
  constexpr std::array<std::pair<uint64_t, const char*>, 3> kUnits = {
      {{1u << 30, "GiB"}, {1u << 20, "MiB"}, {1u << 10, "KiB"}}};
  for (const auto& [size, name] : kUnits) {
    if (bytes % size == 0) return fmt::format("\"{}{}\"", bytes / size, name);
  }
  return std::to_string(bytes);
}

// Collects the lines of one table and writes its header only when there are any.
class Section {
 public:
  Section(std::string& out, std::string header) : out_(out), header_(std::move(header)) {}
  ~Section() {
    if (lines_.empty()) return;
    if (!out_.empty()) out_ += '\n';
    out_ += header_ + '\n' + lines_;
  }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  void line(std::string_view key, const std::string& value) { lines_ += fmt::format("{} = {}\n", key, value); }
  void texts(std::string_view key, const std::vector<std::string>& value) {
    if (!value.empty()) line(key, list(value));
  }
  void text(std::string_view key, const std::string& value) {
    if (!value.empty()) line(key, quoted(value));
  }
  void number(std::string_view key, double value) {
    if (value != 0) line(key, fmt::format("{}", value));
  }
  void bound(std::string_view key, const std::optional<double>& value) {
    if (value) line(key, fmt::format("{}", *value));
  }
  void time(std::string_view key, int64_t ns) {
    if (ns != 0) line(key, duration(ns));
  }
  void flag(std::string_view key, bool value) {
    if (value) line(key, "true");
  }
  template <typename E>
  void word(std::string_view key, E value, E standard, std::string_view (*name)(E) noexcept) {
    if (value != standard) line(key, quoted(name(value)));
  }

 private:
  std::string& out_;
  std::string header_;
  std::string lines_;
};

void write_goals(std::string& out, const Policy& p) {
  Section(out, "[objective]").word("minimize", p.objective, Objective::kLatency, objective_name);
  {
    Section s(out, "[constraints]");
    s.time("latency_p50", p.constraints.latency_p50_ns);
    s.time("latency_p95", p.constraints.latency_p95_ns);
    s.time("latency_p99", p.constraints.latency_p99_ns);
    s.time("latency_mean", p.constraints.latency_mean_ns);
    if (p.constraints.memory_bytes != 0) s.line("memory", memory(p.constraints.memory_bytes));
    s.number("power", p.constraints.power_watts);
    s.number("throughput_min", p.constraints.throughput_min_per_s);
  }
  Section s(out, "[accuracy]");
  s.bound("max_relative_error", p.accuracy.max_relative_error);
  s.bound("relative_l2_max", p.accuracy.relative_l2_max);
  s.bound("cosine_min", p.accuracy.cosine_min);
  s.bound("top1_agreement_min", p.accuracy.top1_agreement_min);
  s.text("samples", p.accuracy.samples);
  s.text("calibration", p.accuracy.calibration);
}

void write_execution(std::string& out, const Policy& p) {
  {
    Section s(out, "[execution]");
    s.texts("target", p.execution.targets);
    s.texts("precision", p.execution.precisions);
    s.flag("static_shape", p.execution.static_shape);
    if (p.execution.threads != 0) s.line("threads", std::to_string(p.execution.threads));
    s.word("isolation", p.execution.isolation, Isolation::kAuto, isolation_name);
  }
  {
    Section s(out, "[fallback]");
    s.texts("resource", p.fallback.resource);
    s.texts("engine", p.fallback.engine);
    s.texts("precision", p.fallback.precision);
    s.texts("kernel", p.fallback.kernel);
  }
  for (const auto& [op, choice] : p.kernels) {
    Section s(out, fmt::format("[kernels.{}]", quoted(op)));
    s.text("force", choice.force);
    s.texts("prefer", choice.prefer);
    s.texts("forbid", choice.forbid);
  }
}

void write_resources(std::string& out, const ResourceRules& rules) {
  Section s(out, "[resources]");
  s.texts("allow", rules.allow);
  s.texts("deny", rules.deny);
  s.flag("allow_simulated", rules.allow_simulated);
  for (const auto& [resource, sets] : rules.split) {
    std::vector<std::string> texts;
    for (const auto& set : sets) texts.push_back(number_list(set));
    s.line(fmt::format("split.{}", quoted(resource)), fmt::format("[{}]", fmt::join(texts, ", ")));
  }
}

void write_engines(std::string& out, const EngineRules& rules) {
  {
    Section s(out, "[engines]");
    s.texts("allow", rules.allow);
    s.texts("deny", rules.deny);
    s.texts("prefer", rules.prefer);
  }
  std::map<std::string, std::map<std::string, std::string>> tables = rules.options;
  for (const auto& [engine, isolation] : rules.isolation) tables[engine]["isolation"] = isolation_name(isolation);
  for (const auto& [engine, options] : tables) {
    Section s(out, fmt::format("[engines.{}]", quoted(engine)));
    for (const auto& [name, value] : options) s.line(quoted(name), quoted(value));
  }
}

void write_target(std::string& line, const char* key, const std::optional<PinTarget>& target) {
  if (!target) return;
  std::vector<std::string> parts;
  if (!target->engine.empty()) parts.push_back("engine = " + quoted(target->engine));
  if (!target->resource.empty()) parts.push_back("resource = " + quoted(target->resource));
  if (!target->precision.empty()) parts.push_back("precision = " + quoted(target->precision));
  if (!target->kernel.empty()) parts.push_back("kernel = " + quoted(target->kernel));
  line += fmt::format("{} = {{ {} }}\n", key, fmt::join(parts, ", "));
}

void write_pins(std::string& out, const std::vector<Pin>& pins) {
  for (const Pin& pin : pins) {
    std::string lines;
    if (!pin.nodes.empty()) lines += fmt::format("nodes = {}\n", list(pin.nodes));
    if (!pin.op_types.empty()) lines += fmt::format("op_types = {}\n", list(pin.op_types));
    if (!pin.between.empty()) lines += fmt::format("between = {}\n", list(pin.between));
    write_target(lines, "require", pin.require);
    write_target(lines, "prefer", pin.prefer);
    write_target(lines, "forbid", pin.forbid);
    out += (out.empty() ? "[[pin]]\n" : "\n[[pin]]\n") + lines;
  }
}

}  // namespace

std::string format_policy(const Policy& p) {
  std::string out;
  write_goals(out, p);
  write_execution(out, p);
  write_resources(out, p.resources);
  write_engines(out, p.engines);
  {
    Section s(out, "[schedule]");
    s.word("kind", p.schedule.kind, ScheduleKind::kAuto, schedule_kind_name);
    s.word("mixing", p.schedule.mixing, Mixing::kNeeded, mixing_name);
    s.flag("rebalance", p.schedule.rebalance);
    if (p.schedule.ordered) s.line("ordered", *p.schedule.ordered ? "true" : "false");
    s.word("each", p.schedule.each, ScheduleKind::kSingle, schedule_kind_name);
    std::vector<std::string> groups;
    for (const auto& group : p.schedule.groups) groups.push_back(list(group));
    if (!groups.empty()) s.line("groups", fmt::format("[{}]", fmt::join(groups, ", ")));
    if (p.schedule.batch != 1)
      s.line("batch", p.schedule.batch == kAutoBatch ? quoted("auto") : std::to_string(p.schedule.batch));
    s.time("batch_wait", p.schedule.batch_wait_ns);
  }
  {
    Section s(out, "[shapes]");
    for (const auto& [axis, sizes] : p.shapes) s.line(quoted(axis), number_list(sizes));
  }
  write_pins(out, p.pins);
  {
    Section s(out, "[tuning]");
    s.time("budget", p.tuning.budget_ns);
    s.word("evidence", p.tuning.evidence, EvidenceUse::kUse, evidence_use_name);
  }
  {
    Section s(out, "[prices]");
    for (const auto& [selector, price] : p.prices) s.line(quoted(selector), fmt::format("{}", price));
  }
  Section(out, "[lock]").texts("waive", p.lock_waive);
  return out;
}

}  // namespace axle
