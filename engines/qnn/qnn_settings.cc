#include "qnn_settings.h"

#include <algorithm>

#include "hexagon.h"
#include "quiet_stdout.h"
#include "settings.h"

namespace axle::qnn {
namespace {

const std::vector<std::string> kPerformanceModes = {
    "default",          "burst",        "balanced",        "high_performance", "sustained_high_performance",
    "high_power_saver", "low_balanced", "low_power_saver", "power_saver",      "extreme_power_saver"};
// The provider wants a model of processor named for f16: the phone's of each generation. The emulator of 68 computes in f32 all the same.
const std::map<std::string, std::string> kSocModels = {{"69", "36"}, {"73", "43"}, {"75", "57"}, {"79", "69"}, {"81", "87"}};
constexpr int64_t kLargestOptimization = 3;
constexpr int64_t kLargestVtcm = 16;

kit::Option option(std::string name, kit::OptionType type, std::string fallback, std::string description) {
  kit::Option made;
  made.name = std::move(name);
  made.type = type;
  made.default_value = std::move(fallback);
  made.affects_speed = true;
  made.description = std::move(description);
  return made;
}

std::string chosen(const kit::Options& options, std::string_view key, const std::vector<std::string>& choices,
                   const std::string& fallback) {
  const std::string value = options.text_or(key, fallback);
  if (std::ranges::find(choices, value) != choices.end()) return value;
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  throw kit::invalid_argument("option '" + std::string(key) + "' is '" + value + "', wanted one of " + list);
}

int64_t bounded(const kit::Options& options, std::string_view key, int64_t fallback, int64_t maximum) {
  const int64_t value = options.integer_or(key, fallback);
  if (value >= 0 && value <= maximum) return value;
  throw kit::invalid_argument("option '" + std::string(key) + "' is " + std::to_string(value) + ", wanted 0 to " +
                              std::to_string(maximum));
}

kit::Option generation_option(const std::string& generation) {
  const Settings s;
  kit::Option made = option("htp_arch", kit::OptionType::kChoice, generation.empty() ? s.htp_arch : generation,
                            "generation of the processor that graphs are compiled for: 73 is Snapdragon 8 Gen 2 and X Elite, "
                            "75 Gen 3, 79 Elite");
  made.choices = generations();
  made.affects_numerics = true;  // 68 and 69 round in another way than later ones
  if (generation == kUnknownGeneration) {
    made.choices.insert(made.choices.begin(), kUnknownGeneration);
  } else if (!generation.empty()) {
    made.choices = {generation};
    made.description = "the NPU that is compiled for is a Hexagon v" + generation + ": it runs no other generation's code";
  }
  return made;
}

}  // namespace

std::vector<kit::Option> option_table(const std::string& generation) {
  const Settings s;
  std::vector<kit::Option> table = {
      generation_option(generation),
      option("performance_mode", kit::OptionType::kChoice, s.performance_mode, "clocks and sleep of the processor"),
      option("optimization_mode", kit::OptionType::kInteger, std::to_string(s.optimization_mode),
             "effort of compiling: 0 the vendor's default, 1 fastest to compile, 3 fastest to run"),
      option("vtcm_mb", kit::OptionType::kInteger, std::to_string(s.vtcm_mb),
             "MiB of the processor's own memory that a graph may use; 0: the vendor's default"),
  };
  table[1].choices = kPerformanceModes;
  table[2].minimum = 0;
  table[2].maximum = kLargestOptimization;
  table[2].affects_numerics = true;
  table[3].minimum = 0;
  table[3].maximum = kLargestVtcm;
  table[3].affects_memory = true;
  return table;
}

std::vector<kit::Preset> preset_table() {
  return {{"default", {}, "as declared"},
          {"optimised", {{"optimization_mode", "3"}}, "compiled with the most effort"},
          {"burst", {{"performance_mode", "burst"}}, "highest clocks"}};
}

Settings parse_settings(const kit::Options& options) {
  options.check_known({"htp_arch", "performance_mode", "optimization_mode", "vtcm_mb"});
  Settings s;
  std::vector<std::string> known = generations();
  known.emplace_back(kUnknownGeneration);
  s.htp_arch = chosen(options, "htp_arch", known, s.htp_arch);
  s.performance_mode = chosen(options, "performance_mode", kPerformanceModes, s.performance_mode);
  s.optimization_mode = bounded(options, "optimization_mode", s.optimization_mode, kLargestOptimization);
  s.vtcm_mb = bounded(options, "vtcm_mb", s.vtcm_mb, kLargestVtcm);
  return s;
}

std::map<std::string, std::string> to_texts(const Settings& s) {
  return {{"htp_arch", s.htp_arch},
          {"performance_mode", s.performance_mode},
          {"optimization_mode", std::to_string(s.optimization_mode)},
          {"vtcm_mb", std::to_string(s.vtcm_mb)}};
}

void check_generation(const Settings& settings, const std::string& generation) {
  if (generation.empty() || generation == kUnknownGeneration || settings.htp_arch == generation) return;
  throw kit::invalid_argument("option 'htp_arch' is '" + settings.htp_arch + "', and the NPU is a Hexagon v" + generation)
      .hint("leave htp_arch out: it follows the NPU");
}

void require_generation(const Settings& settings) {
  if (settings.htp_arch != kUnknownGeneration) return;
  std::string list;
  for (const std::string& known : generations()) list += (list.empty() ? "" : ", ") + known;
  throw kit::failed_precondition(
      "the machine does not say of which generation its Hexagon is, and code for one runs on no other")
      .hint("name it as htp_arch under [engines.qnn]: one of " + list + "; or record the machine anew (axle devices --record)");
}

bool has_half(const Settings& settings) { return kSocModels.contains(settings.htp_arch); }

ort::Handle<OrtSessionOptions> make_session_options(const Library& library, const Settings& s, const SessionAsk& ask) {
  const ort::Api& api = library.runtime->api();
  ort::Settings base;
  base.graph_optimization_level = "basic";  // constants folded; anything more is for the CPU's kernels
  auto options = ort::make_session_options(api, base, ort::SessionPlan{});
  ort::set_entry(api, options.get(), "session.disable_cpu_ep_fallback", ask.cpu_fallback ? "0" : "1");
  if (ask.cpu_fallback) ort::set_entry(api, options.get(), "session.record_ep_graph_assignment_info", "1");
  std::map<std::string, std::string> entries = {
      {"backend_type", "htp"},
      {"htp_arch", s.htp_arch},
      {"htp_performance_mode", s.performance_mode},
      {"htp_graph_finalization_optimization_mode", std::to_string(s.optimization_mode)},
      {"enable_htp_fp16_precision", ask.half ? "1" : "0"},
      {"offload_graph_io_quantization", "0"},  // no part of the graph goes elsewhere
  };
  if (ask.half) {
    if (!has_half(s)) throw kit::unimplemented("the processor v" + s.htp_arch + " does not compute in f16");
    entries["soc_model"] = kSocModels.at(s.htp_arch);
  }
  if (s.vtcm_mb > 0) entries["vtcm_mb"] = std::to_string(s.vtcm_mb);
  if (!ask.graphs_folder.empty()) {
    entries["dump_json_qnn_graph"] = "1";
    entries["json_qnn_graph_dir"] = ask.graphs_folder;
  }
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : entries) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  const QuietStdout quiet;
  ort::check(api,
             api->SessionOptionsAppendExecutionProvider_V2(options.get(), library.runtime->env(), &library.device, 1,
                                                           keys.data(), values.data(), keys.size()),
             "starting QNN");
  return options;
}

}  // namespace axle::qnn
