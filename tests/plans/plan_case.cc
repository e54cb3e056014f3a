// Long file: one parser of one text format, a function for each kind of line.
#include "plan_case.h"

#include <fmt/format.h>

#include "axle/device_profile.h"
#include "axle/policy.h"
#include "base/text.h"
#include "case_line.h"
#include "planner/context.h"
#include "planner/mixed_plan.h"
#include "probe/what_if.h"
#include "spec/answer_fields.h"
#include "spec/candidate.h"
#include "spec/evidence_age.h"

namespace axle::testing {
namespace {

constexpr int64_t kNow = 1'800'000'000;

class Parser {
 public:
  Status parse(std::string_view text) {
    std::string section, policy;
    size_t number = 0;
    for (const std::string_view raw : split(text, '\n')) {
      ++number;
      if (raw.starts_with("=== ")) {
        section = std::string(raw.substr(4));
        if (section == "copy") AXLE_RETURN_IF_ERROR(begin_copy());
        continue;
      }
      if (section == "policy") {
        policy += std::string(raw) + "\n";
        continue;
      }
      if (trim(raw).empty() || trim(raw).front() == '#') continue;
      const Line line = split_line(raw, number);
      if (section == "model" || section == "copy")
        AXLE_RETURN_IF_ERROR(model_line(line));
      else if (section == "engines")
        AXLE_RETURN_IF_ERROR(engine_line(line));
      else if (section == "verdicts")
        AXLE_RETURN_IF_ERROR(verdict_line(line, input_.verdicts));
      else if (section == "copy verdicts" && !input_.variant_graphs.empty())
        AXLE_RETURN_IF_ERROR(verdict_line(line, input_.variant_graphs.back().verdicts));
      else if (section == "variants")
        AXLE_RETURN_IF_ERROR(variant_line(line));
      else if (section == "evidence")
        AXLE_RETURN_IF_ERROR(evidence_line(line));
      else if (section == "learned")
        AXLE_RETURN_IF_ERROR(learned_line(line));
      else if (section.empty())
        AXLE_RETURN_IF_ERROR(head_line(line));
      else
        return refuse(line, "no such section");
    }
    AXLE_ASSIGN_OR_RETURN(input_.policy, parse_policy(policy, "policy"));
    finish();
    return ok_status();
  }
  PlannerInput take() { return std::move(input_); }

 private:
  static Status refuse(const Line& line, const std::string& why) {
    return invalid_argument_error(fmt::format("line {}: {}", line.number, why));
  }

  Status head_line(const Line& line) {
    if (line.word(0) == "machine") {
      const std::string& name = line.word(1);
      AXLE_ASSIGN_OR_RETURN(input_.machine, name.ends_with(".json")
                                                ? load_machine(fmt::format("{}/tests/machines/{}", AXLE_SOURCE_DIR, name))
                                                : find_machine(name));
      what_if_ = line.has("what-if");
      return ok_status();
    }
    if (line.word(0) == "incumbent")
      input_.incumbent = line.word(1);
    else if (line.word(0) == "samples")
      input_.samples_digest = line.word(1);
    else if (line.word(0) == "measured")
      input_.profiles.push_back(measured(line));
    else if (line.word(0) == "sample_axes")
      for (const auto& [axis, size] : line.values) input_.sample_axes[axis] = number_of(size);
    else if (line.word(0) == "simulated")
      input_.machine.resources.push_back(simulated(line));
    else
      return refuse(line, "unknown word " + line.word(0));
    return ok_status();
  }

  static ResourceProfile measured(const Line& line) {
    ResourceProfile measured;
    measured.resource = "cpu:0";
    measured.profile.name = "measured";
    measured.profile.title = "a measured processor";
    measured.profile.vendor = "amd";
    measured.profile.kind = ResourceKind::kCpu;
    measured.profile.names = {"*"};
    measured.profile.peaks["f32"] = {static_cast<uint64_t>(number_of(line.value("f32"))), FigureKind::kMeasured,
                                     "measured here"};
    measured.profile.memory_bandwidth = {static_cast<uint64_t>(number_of(line.value("bandwidth"))), FigureKind::kMeasured,
                                         "measured here"};
    return measured;
  }

  static Resource simulated(const Line& line) {
    Resource resource;
    resource.id = line.word(1);
    resource.kind = parse_resource_kind(resource.id.substr(0, resource.id.find(':'))).value();
    resource.index = static_cast<int32_t>(number_of(resource.id.substr(resource.id.find(':') + 1)));
    resource.name = "simulated device";
    resource.simulated = true;
    resource.tags = {std::string(kSimulatedTag)};
    return resource;
  }

  Status model_line(const Line& line) {
    ModelFacts& m = model();
    const std::string what = line.word(0);
    if (what == "format")
      m.format = line.word(1);
    else if (what == "float")
      m.float_dtype = line.word(1);
    else if (what == "quantised")
      m.quantised = true;
    else if (what == "opset")
      m.opsets[line.word(2)] = number_of(line.word(1));
    else if (what == "dynamic")
      m.dynamic_axes = list_of(line.word(1));
    else if (what == "input" || what == "output")
      (what == "input" ? m.inputs : m.outputs).push_back(io(line));
    else if (what == "node")
      add_nodes(line);
    else if (what == "tensor")
      types_[line.word(1)] = {line.word(2), number_of(line.value("bytes", "256"))};
    else
      return refuse(line, "unknown word " + what);
    return ok_status();
  }

  static IoSpec io(const Line& line) {
    IoSpec spec;
    spec.name = line.word(1);
    spec.dtype = answers::data_type_from_word(line.word(2));
    for (const std::string& axis : list_of(line.word(3))) {
      if (!axis.empty() && axis.find_first_not_of("0123456789") == std::string::npos)
        spec.shape.push_back({number_of(axis), ""});
      else
        spec.shape.push_back({-1, axis == "?" ? "" : axis});
    }
    return spec;
  }

  void add_nodes(const Line& line) {
    const int64_t count = number_of(line.value("count", "1"));
    for (int64_t i = 0; i < count; ++i) {
      NodeFacts node;
      node.name = count == 1 ? line.word(1) : fmt::format("{}_{}", line.word(1), i);
      node.op_type = line.word(2);
      node.domain = line.value("domain");
      node.flops = static_cast<uint64_t>(real_of(line.value("flops", "0")));
      node.weight_bytes = static_cast<uint64_t>(real_of(line.value("weights", "0")));
      node.activation_bytes = static_cast<uint64_t>(real_of(line.value("activations", "0")));
      model().nodes.push_back(std::move(node));
    }
    const auto index = static_cast<int32_t>(model().nodes.size()) - 1;
    for (const std::string& name : list_of(line.value("in"))) reads_.emplace_back(index, name);
    for (const std::string& name : list_of(line.value("out"))) makes_.emplace_back(index, name);
  }

  // Tensors from what nodes read and make; without any the graph is not known and cannot be cut.
  void add_tensors() {
    ModelFacts& m = model();
    if (makes_.empty()) return;
    const auto add = [&](const std::string& name, int32_t producer) {
      const auto type = types_.contains(name) ? types_[name] : std::pair<std::string, int64_t>("f32[1,64]", 256);
      TensorFacts& tensor = m.tensors.emplace_back(TensorFacts{name, type.first == "none" ? "" : type.first, 0, producer, {}});
      tensor.bytes = static_cast<uint64_t>(type.second);
      for (const auto& [node, read] : reads_) {
        if (read == name) tensor.consumers.push_back(node);
      }
    };
    for (const IoSpec& input : m.inputs) add(input.name, -1);
    for (const auto& [node, name] : makes_) add(name, node);
  }

  Status engine_line(const Line& line) {
    if (line.indent == 0) {
      EngineFacts& engine = input_.engines.emplace_back();
      engine.info.name = line.word(0);
      engine.info.honours_cpu_set = !line.has("no_cpu_set");
      engine.info.install_command = line.value("install");
      engine.info.example = line.has("example");
      engine.info.closed = line.has("closed");
      engine.present = !line.has("absent");
      engine.absent_reason = line.value("reason");
      engine.library_version = line.value("version", "1.0");
      engine.library_digest = engine.present ? "sha256:" + engine.info.name : "";
      engine.plugin_file_digest = engine.present && !line.has("in_process") ? "sha256:plugin:" + engine.info.name : "";
      return ok_status();
    }
    if (input_.engines.empty()) return refuse(line, "no engine before this line");
    if (line.word(0) == "on") return capability_line(line);
    if (input_.engines.back().capabilities.empty()) return refuse(line, "no resource before this line");
    Capability& capability = input_.engines.back().capabilities.back().capability;
    if (line.word(0) == "option")
      capability.options.push_back(option(line));
    else if (line.word(0) == "preset")
      capability.presets.push_back({line.word(1), line.values, ""});
    else if (line.word(0) == "op")
      capability.ops.push_back(
          {line.value("domain"), line.word(1), number_of(line.value("from", "1")), number_of(line.value("to", "0")), {}});
    else
      return refuse(line, "unknown word " + line.word(0));
    return ok_status();
  }

  static OptionSpec option(const Line& line) {
    OptionSpec option;
    option.name = line.word(1);
    option.default_value = line.value("default");
    option.choices = list_of(line.value("choices"));
    option.type = !option.choices.empty() ? OptionType::kChoice
                  : line.has("integer")   ? OptionType::kInteger
                  : line.has("boolean")   ? OptionType::kBoolean
                                          : OptionType::kText;
    if (!line.value("min").empty()) option.minimum = real_of(line.value("min"));
    if (!line.value("max").empty()) option.maximum = real_of(line.value("max"));
    option.affects_numerics = line.has("numerics");
    return option;
  }

  Status capability_line(const Line& line) {
    CapabilityFacts& facts = input_.engines.back().capabilities.emplace_back();
    facts.resource = facts.engine_id = line.word(1);
    facts.simulated = line.has("simulated");
    facts.assumed = line.has("assumed");
    facts.compile_only = line.has("compile_only");
    Capability& c = facts.capability;
    c.formats = list_of(line.value("formats", "onnx"));
    for (const std::string& name : list_of(line.value("precisions", "f32"))) {
      const bool emulated = name.ends_with('~');
      c.precisions.push_back({emulated ? name.substr(0, name.size() - 1) : name, "", !emulated});
    }
    for (const std::string& name : list_of(line.value("dtypes"))) c.dtypes.push_back(answers::data_type_from_word(name));
    const std::string dynamic = line.value("dynamic", "yes");
    c.dynamic_shapes = dynamic == "no"        ? DynamicShapes::kNo
                       : dynamic == "bounded" ? DynamicShapes::kBounded
                                              : DynamicShapes::kYes;
    c.needs_compile = line.has("needs_compile");
    c.can_compile = line.has("can_compile");
    c.presets.push_back({"default", {}, ""});
    for (const char* limit : {"threads_max", "nodes_max", "rank_max"}) {
      if (!line.value(limit).empty()) c.limits[limit] = number_of(line.value(limit));
    }
    return ok_status();
  }

  static VerdictKind kind_of(const std::string& word) {
    return word == "yes"     ? VerdictKind::kYes
           : word == "no"    ? VerdictKind::kNo
           : word == "group" ? VerdictKind::kNeedsGroup
                             : VerdictKind::kUnknown;
  }

  static Status verdict_line(const Line& line, std::vector<VerdictRow>& rows) {
    if (line.indent == 0) {
      VerdictRow& row = rows.emplace_back(VerdictRow{line.word(0), line.word(1), line.word(2), {}});
      row.verdict.graph = {kind_of(line.word(3)), line.value("code"), line.value("text"), -1};
      row.verdict.otherwise = {kind_of(line.value("others", line.word(3) == "no" ? "yes" : line.word(3))), line.value("code"),
                               line.value("text"), -1};
      return ok_status();
    }
    if (rows.empty()) return refuse(line, "no verdict before this line");
    rows.back().verdict.nodes.push_back({static_cast<uint32_t>(number_of(line.word(1))),
                                         {kind_of(line.word(2)), line.value("code"), line.value("text"),
                                          static_cast<int32_t>(number_of(line.value("group", "-1")))}});
    return ok_status();
  }

  Status variant_line(const Line& line) {
    if (line.indent == 0) {
      const Variant variant{line.word(0), line.value("digest"), line.value("converter", "onnxruntime 1.31.1"), "", {}};
      input_.variants.push_back({variant, line.word(1), line.value("code"), line.value("text"), line.value("note")});
      return ok_status();
    }
    if (input_.variants.empty()) return refuse(line, "no variant before this line");
    input_.variant_verdicts.push_back({line.word(0),
                                       line.word(1),
                                       input_.variants.back().variant.name(),
                                       line.has("yes"),
                                       line.value("code"),
                                       line.value("text"),
                                       {}});
    return ok_status();
  }

  static std::string library_of(const std::string& name) {
    if (!is_mixed_name(name)) return "sha256:" + name.substr(0, name.find('@'));
    std::vector<Partition> partitions;
    const MixedName mixed = parse_mixed_name(name).value();
    for (const Candidate& candidate : mixed.candidates) {
      partitions.emplace_back().candidate = candidate;
      partitions.back().library_digest = "sha256:" + candidate.engine;
    }
    return plan_library_digest(partitions);
  }

  Status evidence_line(const Line& line) {
    if (line.word(0) == "paired") {
      if (input_.evidence.empty()) return refuse(line, "no evidence before this line");
      input_.evidence.back().paired.push_back(
          {line.word(1), real_of(line.value("ratio")), real_of(line.value("low")), real_of(line.value("high")), 20});
      return ok_status();
    }
    AXLE_RETURN_IF_ERROR(check_candidate_name(line.word(0)));
    EvidenceRow& row = input_.evidence.emplace_back();
    row.key.candidate = line.word(0);
    row.key.library_digest = line.value("library", library_of(line.word(0)));
    row.key.samples_digest = line.value("samples", "generated:0");
    row.key.shapes = line.value("shapes", "-");
    row.recorded_unix_s = kNow - 86'400 * number_of(line.value("days", "1"));
    row.runs = number_of(line.value("runs", "400"));
    row.p50_ns = time_of(line.value("p50"));
    row.p95_ns = time_of(line.value("p95")), row.p99_ns = time_of(line.value("p99"));
    row.peak_memory_bytes = size_of(line.value("peak"));
    if ((row.energy_pj = number_of(line.value("microjoules", "0")) * 1'000'000) > 0) row.energy_source = "rapl package-0";
    row.key.concurrency = static_cast<int32_t>(number_of(line.value("callers", "1")));
    row.key.batch = static_cast<int32_t>(number_of(line.value("batch", "1")));
    row.key.batch_wait_ns = time_of(line.value("wait"));
    if (!line.value("request").empty()) row.block_ns = {time_of(line.value("request"))};
    row.simulated = line.has("simulated");
    if (const std::string version = line.value("version"); !version.empty())
      row.made_with[row.key.candidate.substr(0, row.key.candidate.find('@'))] = version;
    if (const std::string os = line.value("os"); !os.empty()) {
      row.made_with["os"] = os;
      row.key.machine = "sha256:" + os;
    }
    if (!line.value("failed").empty()) {
      row.kind = EvidenceKind::kFailed;
      row.failure_code = line.value("failed");
      row.failure_text = line.value("text");
    }
    if (!line.value("error").empty()) {
      row.error = ErrorFigures{real_of(line.value("error")),
                               real_of(line.value("l2", "0")),
                               real_of(line.value("cosine", "1")),
                               real_of(line.value("top1", "1")),
                               number_of(line.value("mismatches", "0")),
                               line.value("reference", "the f32 reference"),
                               line.value("output", "y")};
    }
    return ok_status();
  }

  Status learned_line(const Line& line) {
    const auto kind = parse_resource_kind(line.word(1));
    if (!kind) return refuse(line, "no kind of resource: " + line.word(1));
    input_.estimate_ratios.push_back({"sha256:" + line.value("model"), line.word(0), *kind, line.word(2),
                                      number_of(line.value("permille")),
                                      static_cast<int32_t>(number_of(line.value("candidates", "1")))});
    return ok_status();
  }

  // What is described now: the model, or the copy that began last.
  ModelFacts& model() { return input_.variant_graphs.empty() ? input_.model : input_.variant_graphs.back().model; }

  Status begin_copy() {
    if (input_.variants.empty()) return invalid_argument_error("a copy comes after the variant whose graph it is");
    finish_model("sha256:model");
    const Variant& variant = input_.variants.back().variant;
    input_.variant_graphs.push_back({variant.name(), {}, {}});
    model().digest = variant.digest;
    return ok_status();
  }

  void finish_model(const std::string& digest) {
    ModelFacts& m = model();
    m.digest = digest;
    add_tensors();
    if (m.format.empty()) m.format = "onnx";
    for (const NodeFacts& node : m.nodes) {
      m.flops += node.flops;
      m.weight_bytes += node.weight_bytes;
      m.activation_bytes += node.activation_bytes;
    }
    reads_.clear(), makes_.clear(), types_.clear();
  }

  // Totals, and the parts of keys that every row shares.
  void finish() {
    finish_model(input_.variant_graphs.empty() ? "sha256:model" : model().digest);
    const ModelFacts& m = input_.model;
    input_.shapes = shapes_text(m.inputs);
    input_.as_of_unix_s = kNow;
    if (what_if_) assume_machine(input_, true);
    const auto split = split_machine(input_);
    for (EvidenceRow& row : input_.evidence) {
      if (split) row.made_with.merge(core_sets_of(*split, row.key.candidate));
      row.key.model_digest = m.digest;
      row.hardware = input_.machine.hardware_fingerprint();
      if (row.key.machine.empty()) row.key.machine = input_.machine.fingerprint();
      if (row.key.shapes == "-") row.key.shapes = input_.shapes;
    }
  }

  PlannerInput input_;
  bool what_if_ = false;
  std::vector<std::pair<int32_t, std::string>> reads_, makes_;
  std::map<std::string, std::pair<std::string, int64_t>> types_;
};

}  // namespace

Result<PlanCase> parse_plan_case(std::string_view text) {
  PlanCase plan_case;
  const size_t at = text.find(kExpectLine);
  plan_case.given = std::string(text.substr(0, at));
  if (at != std::string_view::npos) plan_case.expected = std::string(text.substr(at + kExpectLine.size()));
  Parser parser;
  AXLE_RETURN_IF_ERROR(parser.parse(plan_case.given));
  plan_case.input = parser.take();
  return plan_case;
}

}  // namespace axle::testing
