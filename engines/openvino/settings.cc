#include "settings.h"

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace axle::openvino {
namespace {

constexpr int64_t kMaxStreams = 64;

std::string taken(const Api& api, ov_status_e status, char* value) {
  if (status != OK || value == nullptr) return "";
  std::string text = value;
  api.ov_free(value);
  return text;
}

}  // namespace

std::vector<kit::Option> option_table() {
  std::vector<kit::Option> table(3);
  table[0].name = "num_streams";
  table[0].type = kit::OptionType::kInteger;
  table[0].default_value = "1";
  table[0].minimum = 0;
  table[0].maximum = kMaxStreams;
  table[0].affects_speed = table[0].affects_memory = true;
  table[0].description = "runs that may execute at once, the threads are divided among them; 0: one for each thread";
  table[1].name = "performance_hint";
  table[1].type = kit::OptionType::kChoice;
  table[1].default_value = "latency";
  table[1].choices = {"latency", "throughput"};
  table[1].affects_speed = true;
  table[1].description = "what the library tunes its scheduling for";
  table[2].name = "profiling";
  table[2].type = kit::OptionType::kBoolean;
  table[2].default_value = "false";
  table[2].affects_speed = true;
  table[2].description =
      "time every node: recorded runs get node times (the library gives the mean of all runs so far), load lists the kernels";
  return table;
}

std::vector<kit::Preset> preset_table() {
  return {
      {"default", {}, "one run at a time, as fast as it can"},
      {"throughput", {{"num_streams", "0"}, {"performance_hint", "throughput"}}, "as many runs at once as there are threads"}};
}

Settings parse_settings(const kit::Options& options) {
  options.check_known({"num_streams", "performance_hint", "profiling"});
  Settings settings;
  settings.num_streams = options.integer_or("num_streams", settings.num_streams);
  if (settings.num_streams < 0 || settings.num_streams > kMaxStreams) {
    throw kit::invalid_argument("option 'num_streams' is " + std::to_string(settings.num_streams) + ", wanted 0 to " +
                                std::to_string(kMaxStreams));
  }
  settings.performance_hint = options.choice_or("performance_hint", {"latency", "throughput"}, settings.performance_hint);
  settings.profiling = options.boolean_or("profiling", settings.profiling);
  return settings;
}

bool is_cpu(std::string_view device) { return device == "CPU"; }

bool processor_has(std::string_view precision) {
  if (precision != "bf16" && precision != "f16") return true;
#if defined(__x86_64__)
  // Intel's manual, volume 2A, CPUID: leaf 7, subleaves 0 and 1.
  constexpr unsigned kAmxBf16 = 1u << 22, kAvx512Fp16 = 1u << 23;                       // EDX of 0
  constexpr unsigned kAvx512Bf16 = 1u << 5, kAmxFp16 = 1u << 21, kAvxNeConvert = 1u << 5;  // EAX, EAX, EDX of 1
  unsigned a = 0, b = 0, c = 0, d = 0, a1 = 0, b1 = 0, c1 = 0, d1 = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if (__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) == 0) a1 = d1 = 0;
  if ((d1 & kAvxNeConvert) != 0) return true;
  return precision == "bf16" ? (d & kAmxBf16) != 0 || (a1 & kAvx512Bf16) != 0 : (d & kAvx512Fp16) != 0 || (a1 & kAmxFp16) != 0;
#else
  return true;  // the library asks the system
#endif
}

Handle<ov_core_t> make_core(const Api& api) {
  return make<ov_core_t>(api, api.ov_core_free, "starting OpenVINO", [&](ov_core_t** out) { return api.ov_core_create(out); });
}

void configure(const Api& api, const ov_core_t* core, const std::string& device, const Settings& settings,
               std::string_view precision, int32_t threads) {
  const auto set = [&](const char* key, const std::string& value) {
    check(api, api.ov_core_set_property(core, device.c_str(), key, value.c_str()),
          "setting " + std::string(key) + "=" + value + " on " + device);
  };
  const auto flag = [](bool value) { return std::string(value ? "YES" : "NO"); };
  const bool integers = precision == "int8";
  set("INFERENCE_PRECISION_HINT", integers ? "f32" : std::string(precision));
  set("PERFORMANCE_HINT", settings.performance_hint == "latency" ? "LATENCY" : "THROUGHPUT");
  set("NUM_STREAMS", std::to_string(settings.num_streams > 0 ? settings.num_streams : std::max(threads, 1)));
  set("PERF_COUNT", flag(settings.profiling));
  if (!is_cpu(device)) return;
  set("INFERENCE_NUM_THREADS", std::to_string(threads));
  set("ENABLE_CPU_PINNING", "NO");  // its own pinning puts two models of one process on the same core
  set("ENABLE_HYPER_THREADING", flag(true));
  set("LP_TRANSFORMS_MODE", flag(integers));  // else quantised islands run in integers whatever the precision
}

std::string device_property(const Api& api, const ov_core_t* core, const std::string& device, const char* key) {
  char* value = nullptr;
  const ov_status_e status = api.ov_core_get_property(core, device.c_str(), key, &value);
  return taken(api, status, value);
}

std::string model_property(const Api& api, const ov_compiled_model_t* model, const char* key) {
  char* value = nullptr;
  const ov_status_e status = api.ov_compiled_model_get_property(model, key, &value);
  return taken(api, status, value);
}

}  // namespace axle::openvino
