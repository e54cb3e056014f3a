#include "settings.h"

#include <algorithm>

namespace axle::ort {
namespace {

// Whether u8 x s8 products are added up in 32 bits. Where they are, rewriting s8 weights as u8 gains nothing, and ONNX Runtime 1.31 fails
// to rewrite a model in which several nodes share such a weight ("Attempt to replace the existing tensor").
bool has_vnni() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") != 0 || __builtin_cpu_supports("avxvnni") != 0;
#else
  return false;
#endif
}

constexpr const char* kIntraSpinning = "session.intra_op.allow_spinning";
constexpr const char* kInterSpinning = "session.inter_op.allow_spinning";
constexpr const char* kStopSpinning = "session.force_spinning_stop";

enum Affects : unsigned { kNumerics = 1, kSpeed = 2, kMemory = 4 };

kit::Option option(std::string name, kit::OptionType type, std::string fallback, unsigned affects, std::string description) {
  kit::Option made;
  made.name = std::move(name);
  made.type = type;
  made.default_value = std::move(fallback);
  made.affects_numerics = (affects & kNumerics) != 0;
  made.affects_speed = (affects & kSpeed) != 0;
  made.affects_memory = (affects & kMemory) != 0;
  made.description = std::move(description);
  return made;
}

kit::Option boolean(std::string name, bool fallback, unsigned affects, std::string description) {
  return option(std::move(name), kit::OptionType::kBoolean, fallback ? "true" : "false", affects, std::move(description));
}

kit::Option choice(std::string name, std::vector<std::string> choices, std::string fallback, unsigned affects,
                   std::string description) {
  kit::Option made = option(std::move(name), kit::OptionType::kChoice, std::move(fallback), affects, std::move(description));
  made.choices = std::move(choices);
  return made;
}

kit::Option integer(std::string name, int64_t fallback, double minimum, double maximum, unsigned affects,
                    std::string description) {
  kit::Option made =
      option(std::move(name), kit::OptionType::kInteger, std::to_string(fallback), affects, std::move(description));
  made.minimum = minimum;
  made.maximum = maximum;
  return made;
}

constexpr int64_t kMaxInterOpThreads = 64;
constexpr int64_t kMaxBlockBase = 64;

int64_t bounded(const kit::Options& options, std::string_view key, int64_t fallback, int64_t minimum, int64_t maximum) {
  const int64_t value = options.integer_or(key, fallback);
  if (value < minimum || value > maximum) {
    throw kit::invalid_argument("option '" + std::string(key) + "' is " + std::to_string(value) + ", wanted " +
                                std::to_string(minimum) + " to " + std::to_string(maximum));
  }
  return value;
}

GraphOptimizationLevel level_of(const Api& api, const std::string& name) {
  if (name == "none") return ORT_DISABLE_ALL;
  if (name == "basic") return ORT_ENABLE_BASIC;
  if (name == "extended") return ORT_ENABLE_EXTENDED;
  // The layout level came with 1.23; before it, layout belonged to "all".
  if (name == "layout" && api.has(23)) return static_cast<GraphOptimizationLevel>(3);
  return ORT_ENABLE_ALL;
}

std::string flag(bool value) { return value ? "1" : "0"; }

}  // namespace

std::vector<kit::Option> option_table(const std::vector<std::string>& providers) {
  return {
      choice("graph_optimization_level", {"none", "basic", "extended", "layout", "all"}, "all", kNumerics | kSpeed | kMemory,
             "graph rewrites: constant folding (basic), fusions (extended), blocked convolution layouts (layout, all)"),
      choice("execution_mode", {"sequential", "parallel"}, "sequential", kSpeed | kMemory,
             "parallel runs independent branches at once on inter_op_threads"),
      integer("inter_op_threads", 1, 1, kMaxInterOpThreads, kSpeed,
              "threads over branches; used only by execution_mode parallel"),
      choice("spinning", {"auto", "never"}, "auto", kSpeed,
             "auto: workers spin inside a run, and between runs only if load's spin says so; never: they always sleep"),
      boolean("arena", true, kSpeed | kMemory, "keep freed scratch memory for the next run"),
      boolean("mem_pattern", true, kSpeed | kMemory,
              "one block of scratch memory per input shape, planned at the first run; not with execution_mode parallel"),
      boolean("prepacking", true, kSpeed | kMemory, "reorder weights at load for faster kernels; costs load time and memory"),
      integer("dynamic_block_base", 0, 0, kMaxBlockBase, kSpeed,
              "0: equal shares per thread; N: shrinking shares, better on busy cores"),
      boolean("denormal_as_zero", false, kNumerics | kSpeed,
              "flush denormal floats to zero in the workers and the calling thread"),
      boolean("deterministic_compute", false, kNumerics | kSpeed, "refuse kernels that the library marks as not repeatable"),
      boolean("gelu_approximation", false, kNumerics | kSpeed, "tanh form of Gelu"),
      boolean("quant_qdq", true, kNumerics | kSpeed,
              "precision int8: fuse QuantizeLinear/DequantizeLinear islands into integer kernels"),
      boolean("exact_u8s8", true, kNumerics | kSpeed,
              "avoid saturating u8 x s8 products on CPUs without VNNI; with VNNI they do not saturate"),
      choice("provider", providers, "cpu", kNumerics | kSpeed | kMemory,
             "execution provider; its own failures are errors, never silent CPU"),
      boolean("allow_cpu_fallback", false, kNumerics | kSpeed | kMemory,
              "let nodes that the provider refuses run on the CPU; each is listed"),
      option("custom_ops", kit::OptionType::kText, "", kNumerics | kSpeed,
             "libraries of custom operators, by file name from a trusted folder, separated by commas"),
  };
}

std::vector<kit::Preset> preset_table() {
  return {
      {"default", {}, "as declared"},
      {"no_spin", {{"spinning", "never"}}, "workers never spin: for cores that are shared"},
      {"low_memory", {{"arena", "false"}, {"mem_pattern", "false"}, {"prepacking", "false"}}, "smallest resident memory"},
      {"busy_cores", {{"dynamic_block_base", "4"}}, "shrinking work shares: less waiting for a thread that was preempted"},
      {"branches",
       {{"execution_mode", "parallel"}, {"inter_op_threads", "2"}, {"mem_pattern", "false"}},
       "two branches at once"},
      {"extended", {{"graph_optimization_level", "extended"}}, "fusions without blocked layouts"},
      {"basic", {{"graph_optimization_level", "basic"}}, "constant folding only: closest to the model as written"},
  };
}

Settings parse_settings(const kit::Options& options) {
  Settings s;
  std::vector<std::string> names;
  for (const auto& [name, value] : to_texts(s)) names.push_back(name);
  const std::vector<std::string_view> known(names.begin(), names.end());
  options.check_known(known);
  s.graph_optimization_level =
      options.choice_or("graph_optimization_level", {"none", "basic", "extended", "layout", "all"}, s.graph_optimization_level);
  s.execution_mode = options.choice_or("execution_mode", {"sequential", "parallel"}, s.execution_mode);
  s.inter_op_threads = bounded(options, "inter_op_threads", s.inter_op_threads, 1, kMaxInterOpThreads);
  s.spinning = options.choice_or("spinning", {"auto", "never"}, s.spinning);
  s.arena = options.boolean_or("arena", s.arena);
  s.mem_pattern = options.boolean_or("mem_pattern", s.mem_pattern);
  s.prepacking = options.boolean_or("prepacking", s.prepacking);
  s.dynamic_block_base = bounded(options, "dynamic_block_base", s.dynamic_block_base, 0, kMaxBlockBase);
  s.denormal_as_zero = options.boolean_or("denormal_as_zero", s.denormal_as_zero);
  s.deterministic_compute = options.boolean_or("deterministic_compute", s.deterministic_compute);
  s.gelu_approximation = options.boolean_or("gelu_approximation", s.gelu_approximation);
  s.quant_qdq = options.boolean_or("quant_qdq", s.quant_qdq);
  s.exact_u8s8 = options.boolean_or("exact_u8s8", s.exact_u8s8);
  s.provider = options.text_or("provider", s.provider);
  s.allow_cpu_fallback = options.boolean_or("allow_cpu_fallback", s.allow_cpu_fallback);
  s.custom_ops = options.text_or("custom_ops", s.custom_ops);
  return s;
}

std::map<std::string, std::string> to_texts(const Settings& s) {
  const auto text = [](bool value) { return std::string(value ? "true" : "false"); };
  return {{"graph_optimization_level", s.graph_optimization_level},
          {"execution_mode", s.execution_mode},
          {"inter_op_threads", std::to_string(s.inter_op_threads)},
          {"spinning", s.spinning},
          {"arena", text(s.arena)},
          {"mem_pattern", text(s.mem_pattern)},
          {"prepacking", text(s.prepacking)},
          {"dynamic_block_base", std::to_string(s.dynamic_block_base)},
          {"denormal_as_zero", text(s.denormal_as_zero)},
          {"deterministic_compute", text(s.deterministic_compute)},
          {"gelu_approximation", text(s.gelu_approximation)},
          {"quant_qdq", text(s.quant_qdq)},
          {"exact_u8s8", text(s.exact_u8s8)},
          {"provider", s.provider},
          {"allow_cpu_fallback", text(s.allow_cpu_fallback)},
          {"custom_ops", s.custom_ops}};
}

void set_entry(const Api& api, OrtSessionOptions* options, const char* key, const std::string& value) {
  check(api, api->AddSessionConfigEntry(options, key, value.c_str()), std::string("setting ") + key);
}

std::string get_entry(const Api& api, const OrtSessionOptions* options, const char* key) {
  int has = 0;
  check(api, api->HasSessionConfigEntry(options, key, &has), "reading a session option");
  if (has == 0) return "";
  size_t size = 0;
  check(api, api->GetSessionConfigEntry(options, key, nullptr, &size), "reading a session option");
  std::string value(size, '\0');
  check(api, api->GetSessionConfigEntry(options, key, value.data(), &size), "reading a session option");
  while (!value.empty() && value.back() == '\0') value.pop_back();
  return value;
}

namespace {

// The library closes them with the last session that uses them.
void register_custom_ops(const Api& api, OrtSessionOptions* options, std::string_view paths) {
  while (!paths.empty()) {
    const size_t end = std::min(paths.find(':'), paths.size());
    const std::string path(paths.substr(0, end));
    paths.remove_prefix(std::min(end + 1, paths.size()));
    if (path.empty()) continue;
    check(api, api->RegisterCustomOpsLibrary_V2(options, path.c_str()), "registering the custom operators of " + path);
  }
}

}  // namespace

Handle<OrtSessionOptions> make_session_options(const Api& api, const Settings& s, const SessionPlan& plan) {
  auto options = make<OrtSessionOptions>(api, api->ReleaseSessionOptions, "making session options",
                                         [&](OrtSessionOptions** out) { return api->CreateSessionOptions(out); });
  OrtSessionOptions* o = options.get();
  const auto apply = [&](OrtStatus* status) { check(api, status, "setting session options"); };
  const bool parallel = s.execution_mode == "parallel";
  apply(api->SetIntraOpNumThreads(o, plan.threads));
  apply(api->SetInterOpNumThreads(o, parallel ? static_cast<int>(s.inter_op_threads) : 1));
  apply(api->SetSessionExecutionMode(o, parallel ? ORT_PARALLEL : ORT_SEQUENTIAL));
  apply(api->SetSessionGraphOptimizationLevel(o, plan.optimise ? level_of(api, s.graph_optimization_level) : ORT_DISABLE_ALL));
  apply(s.arena ? api->EnableCpuMemArena(o) : api->DisableCpuMemArena(o));
  apply(s.mem_pattern && !parallel ? api->EnableMemPattern(o) : api->DisableMemPattern(o));
  if (s.deterministic_compute) apply(api->SetDeterministicCompute(o, true));
  set_entry(api, o, kIntraSpinning, flag(s.spinning != "never"));
  set_entry(api, o, kInterSpinning, flag(s.spinning != "never" && plan.spin));
  set_entry(api, o, kStopSpinning, flag(s.spinning == "never" || !plan.spin));
  set_entry(api, o, "session.disable_prepacking", flag(!s.prepacking));
  set_entry(api, o, "session.set_denormal_as_zero", flag(s.denormal_as_zero));
  set_entry(api, o, "session.disable_quant_qdq", flag(!s.quant_qdq || !plan.fuse_quantised));
  set_entry(api, o, "session.x64quantprecision", flag(s.exact_u8s8 && !has_vnni()));
  set_entry(api, o, "optimization.enable_gelu_approximation", flag(s.gelu_approximation));
  if (s.dynamic_block_base > 0) set_entry(api, o, "session.dynamic_block_base", std::to_string(s.dynamic_block_base));
  register_custom_ops(api, o, s.custom_ops);
  return options;
}

OrtLoggingLevel log_level(const kit::Options& options) {
  const std::string level = options.choice_or("log_level", {"verbose", "info", "warning", "error", "fatal"}, "error");
  if (level == "verbose") return ORT_LOGGING_LEVEL_VERBOSE;
  if (level == "info") return ORT_LOGGING_LEVEL_INFO;
  if (level == "warning") return ORT_LOGGING_LEVEL_WARNING;
  return level == "fatal" ? ORT_LOGGING_LEVEL_FATAL : ORT_LOGGING_LEVEL_ERROR;
}

}  // namespace axle::ort
