// The openvino engine: OpenVINO's C API behind the axle engine ABI. See README.md.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include <sched.h>

#include "context.h"
#include "program.h"

namespace axle::openvino {
namespace {

constexpr const char* kCpu = "cpu:0";

// The host's ids are the vendor's names, but for the CPU.
std::string device_of(std::string_view resource) { return resource == kCpu ? "CPU" : std::string(resource); }

constexpr const char* kPluginVersion = "0.1.0";

struct FrontEnd {
  const char* format;
  const char* library;
};
constexpr FrontEnd kFrontEnds[] = {{"onnx", "libopenvino_onnx_frontend"},
                                   {"openvino-ir", "libopenvino_ir_frontend"},
                                   {"tflite", "libopenvino_tensorflow_lite_frontend"},
                                   {"tf-saved-model", "libopenvino_tensorflow_frontend"},
                                   {"tf-frozen-graph", "libopenvino_tensorflow_frontend"}};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// `word` in `text`, not as a part of a longer name.
bool names(std::string_view text, std::string_view word) {
  const auto joins = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (size_t at = text.find(word); !word.empty() && at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !joins(text[at - 1])) && (end == text.size() || !joins(text[end]))) return true;
  }
  return false;
}

kit::Verdict verdict(kit::VerdictKind kind, std::string code, std::string text) {
  constexpr size_t kMaxText = 2000;
  if (text.size() > kMaxText) text.resize(kMaxText);
  return {kind, std::move(code), std::move(text), -1};
}

bool is_quantised(const kit::Graph& graph) {
  for (const kit::Node& node : graph.nodes()) {
    if (contains(node.op_type(), "QuantizeLinear") || node.op_type().starts_with("QLinear") ||
        node.op_type().ends_with("Integer"))
      return true;
  }
  return false;
}

// The library resets its threads to the whole process's CPUs, so the set holds only where the process is confined to it.
bool process_confined_to(std::span<const int32_t> cpu_set) {
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/task", error), end; !error && it != end; it.increment(error)) {
    cpu_set_t mask;
    if (sched_getaffinity(leading_number(it->path().filename().native()), sizeof(mask), &mask) != 0) continue;  // it just ended
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &mask) && std::ranges::find(cpu_set, cpu) == cpu_set.end()) return false;
    }
  }
  return !error;
}

// Listing devices opens every plugin of the library. Its GPU and NPU plugins reach devices only through these nodes.
bool may_have_accelerators() {
  std::error_code error;
  for (const char* node : {"/dev/dri", "/dev/accel", "/dev/dxg"}) {
    if (std::filesystem::exists(node, error)) return true;
  }
  return false;
}

// Precision as the vendor's property reports it: "f32", "bf16", "f16".
std::string reported_precision(const std::string& text) {
  if (contains(text, "bf16") || contains(text, "bfloat16")) return "bf16";
  return contains(text, "16") ? "f16" : contains(text, "32") ? "f32" : "unknown";
}

class OpenVinoExecutable final : public kit::Executable {
 public:
  OpenVinoExecutable(std::shared_ptr<Program> program, bool profiling) : program_(std::move(program)), profiling_(profiling) {}
  kit::Io io() override { return program_->io(); }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<OpenVinoContext>(program_, profiling_); }
  kit::Counters counters() override { return {{"runs", static_cast<double>(program_->runs().load())}}; }

 private:
  std::shared_ptr<Program> program_;
  bool profiling_;
};

class OpenVinoEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  OpenVinoEngine(std::shared_ptr<const Api> api, const kit::CreateArgs& args)
      : api_(std::move(api)), scratch_folder_(args.scratch_folder), search_folders_(args.search_folders),
        core_(make_core(*api_)) {
    if (may_have_accelerators())
      add_devices();
    else
      add_device("CPU");
  }

  static kit::EngineInfo facts();
  static std::unique_ptr<kit::Engine> create(kit::Host, const kit::CreateArgs& args) {
    args.options.check_known({});
    return std::make_unique<OpenVinoEngine>(open_vendor_library(args), args);
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.search = library_candidates(search_folders_);
    info.opened = true;
    info.library = {api_->path, api_->version, api_->build, other_copies(api_->path)};
    return info;
  }
  std::vector<kit::ResourceInfo> resources() override { return resources_; }
  kit::Capability capability(std::string_view resource) override;
  kit::Support support(const kit::SupportArgs& args) override;
  kit::Manifest compile(const kit::CompileArgs& args) override;
  kit::Loaded load(const kit::LoadArgs& args) override;

 private:
  void add_devices();
  void add_device(const std::string& device);
  const kit::ResourceInfo& resource(std::string_view id) const;
  std::vector<std::string> formats() const;
  std::vector<kit::Precision> precisions(std::string_view id) const;
  CompileFor target(std::string_view device, std::string_view precision, int32_t threads, const kit::Options& options) const;
  // What went wrong when the whole graph was compiled at f32; nothing = it compiles. Remembered per content and device.
  std::optional<std::string> refusal(const kit::SupportArgs& args);
  std::string scratch(std::string_view given) const { return given.empty() ? scratch_folder_ : std::string(given); }

  std::shared_ptr<const Api> api_;
  std::string scratch_folder_;
  std::vector<std::string> search_folders_;
  std::shared_ptr<ov_core_t> core_;
  mutable std::atomic<bool> core_given_{false};
  std::vector<kit::ResourceInfo> resources_;
  std::mutex mutex_;
  std::map<std::string, std::optional<std::string>> known_;  // by device and digest
};

kit::EngineInfo OpenVinoEngine::facts() {
  kit::EngineInfo info;
  info.name = "openvino";
  info.vendor = "Intel";
  info.plugin_version = kPluginVersion;
  info.description = "OpenVINO through its C API, opened at run time; devices are asked for by name, never AUTO";
  info.deterministic = true;
  info.honours_cpu_set = false;  // worker threads are one pool per process
  info.cancel_latency = kit::CancelLatency::kNode;
  info.install_command = kInstallCommand;
  return info;
}

void OpenVinoEngine::add_devices() {
  ov_available_devices_t list{};
  check(*api_, api_->ov_core_get_available_devices(core_.get(), &list), "listing OpenVINO's devices");
  for (size_t i = 0; i < list.size; ++i) add_device(list.devices[i]);
  api_->ov_available_devices_free(&list);
}

void OpenVinoEngine::add_device(const std::string& device) {
  const bool gpu = device.starts_with("GPU");
  if (!is_cpu(device) && !gpu && !device.starts_with("NPU")) return;
  kit::ResourceInfo info;
  info.id = is_cpu(device) ? kCpu : device;
  info.kind = gpu ? "gpu" : is_cpu(device) ? "cpu" : "npu";
  info.name = device_property(*api_, core_.get(), device, "FULL_DEVICE_NAME");
  if (!is_cpu(device)) {
    info.vendor = "Intel";
    info.uuid = device_property(*api_, core_.get(), device, "DEVICE_UUID");
    unsigned domain = 0, bus = 0, slot = 0, function = 0;
    const std::string pci = device_property(*api_, core_.get(), device, "DEVICE_PCI_INFO");
    // NOLINTNEXTLINE(bugprone-unchecked-string-to-number-conversion): the count says whether all were read
    if (std::sscanf(pci.c_str(), "{domain: %u bus: %u device: %x function: %u}", &domain, &bus, &slot, &function) == 4) {
      char text[32];
      std::snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", domain & 0xffffu, bus & 0xffu, slot & 0xffu, function & 0xfu);
      info.pci_address = text;
    }
    info.memory_bytes = std::strtoull(
        device_property(*api_, core_.get(), device, gpu ? "GPU_DEVICE_TOTAL_MEM_SIZE" : "NPU_DEVICE_TOTAL_MEM_SIZE").c_str(),
        nullptr, 10);
  }
  resources_.push_back(std::move(info));
}

const kit::ResourceInfo& OpenVinoEngine::resource(std::string_view id) const {
  for (const kit::ResourceInfo& info : resources_) {
    if (info.id == id) return info;
  }
  throw kit::Error(AXLE_NOT_FOUND, "OpenVINO offers no device '" + std::string(id) + "' here");
}

std::vector<std::string> OpenVinoEngine::formats() const {
  std::vector<std::string> formats;
  const std::filesystem::path folder = std::filesystem::path(api_->path).parent_path();
  for (const FrontEnd& front : kFrontEnds) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (!it->path().filename().string().starts_with(std::string(front.library) + ".so")) continue;
      formats.emplace_back(front.format);
      break;
    }
  }
  return formats;
}

std::vector<kit::Precision> OpenVinoEngine::precisions(std::string_view id) const {
  const std::string device = device_of(id);
  const std::string offered = device_property(*api_, core_.get(), device, "OPTIMIZATION_CAPABILITIES");
  std::vector<kit::Precision> precisions;
  if (!device.starts_with("NPU")) precisions.push_back({"f32", "f32", true});
  const auto native = [&](std::string_view precision) { return !is_cpu(device) || processor_has(precision); };
  if (contains(offered, "BF16")) precisions.push_back({"bf16", "f32", native("bf16")});
  if (contains(offered, "FP16")) precisions.push_back({"f16", "", native("f16")});
  if (is_cpu(device) && contains(offered, "INT8")) precisions.push_back({"int8", "i32", true});
  return precisions;
}

kit::Capability OpenVinoEngine::capability(std::string_view id) {
  resource(id);
  kit::Capability capability;
  capability.formats = formats();
  capability.precisions = precisions(id);
  capability.dtypes = {"f32", "u8", "i8", "u16", "i16", "i32", "i64", "bool", "f16", "f64", "u32", "u64", "bf16", "u4", "i4"};
  capability.ops_probed = true;
  capability.dynamic_shapes = id.starts_with("NPU") ? kit::DynamicShapes::kNo : kit::DynamicShapes::kYes;
  capability.options = option_table();
  capability.presets = preset_table();
  capability.limits = {{"threads_max", 256}};
  return capability;
}

CompileFor OpenVinoEngine::target(std::string_view device, std::string_view precision, int32_t threads,
                                  const kit::Options& options) const {
  resource(device);
  const auto offered = precisions(device);
  if (std::ranges::none_of(offered, [&](const kit::Precision& p) { return p.name == precision; })) {
    throw kit::unimplemented("OpenVINO's " + std::string(device) + " does not offer precision " + std::string(precision) +
                             " here");
  }
  // The first program takes the core that the devices were asked through: a second one costs a start some milliseconds.
  return {device_of(device), precision, threads, parse_settings(options), core_given_.exchange(true) ? nullptr : core_};
}

std::optional<std::string> OpenVinoEngine::refusal(const kit::SupportArgs& args) {
  const std::string key = std::string(args.resource) + ' ' + std::string(args.graph.digest());
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  args.cancel.check();
  std::optional<std::string> reason;
  try {
    Program::from_graph(api_, args.graph,
                        target(args.resource, args.resource.starts_with("NPU") ? "f16" : "f32", 1, args.options),
                        scratch(args.scratch_folder));
  } catch (const kit::Error& error) {
    reason = error.message();
  }
  constexpr size_t kMaxKnown = 65536;
  const std::lock_guard lock(mutex_);
  if (known_.size() < kMaxKnown && !args.graph.digest().empty()) known_.emplace(key, reason);
  return reason;
}

kit::Support OpenVinoEngine::support(const kit::SupportArgs& args) {
  using enum kit::VerdictKind;
  resource(args.resource);
  parse_settings(args.options);
  kit::Support support;
  const auto all = [&](kit::Verdict value) {
    support.graph = support.otherwise = std::move(value);
    return support;
  };
  const auto readable = formats();
  if (std::ranges::find(readable, args.graph.format()) == readable.end()) {
    return all(verdict(kNo, "FORMAT", "this OpenVINO reads no " + std::string(args.graph.format())));
  }
  const auto offered = precisions(args.resource);
  if (std::ranges::none_of(offered, [&](const kit::Precision& p) { return p.name == args.precision; })) {
    return all(verdict(kNo, "PRECISION", std::string(args.resource) + " does not offer " + std::string(args.precision)));
  }
  if (args.precision == "int8" && args.graph.node_count() > 0 && !is_quantised(args.graph)) {
    return all(verdict(kNo, "PRECISION", "the model is not quantised, and OpenVINO does not quantise at load"));
  }
  if (const Reductions reductions = reductions_of(args.graph); !reductions.of_nothing.empty()) {
    support.graph =
        verdict(kNo, "SHAPE", "it reduces an axis of size 0, for which OpenVINO would give something else than ONNX says");
    support.otherwise = verdict(kUnknown, "OTHER", "judged with the whole model only");
    for (const uint32_t node : reductions.of_nothing) support.nodes.push_back({node, support.graph});
    return support;
  }
  const std::optional<std::string> reason = refusal(args);
  if (!reason) {
    if (args.precision == "f32") return all(verdict(kYes, "", ""));
    return all(
        verdict(kUnknown, "PRECISION", "which nodes run at " + std::string(args.precision) + " is known only after load"));
  }
  support.graph = verdict(kNo, contains(*reason, "operation") ? "UNSUPPORTED_OP" : "OTHER", *reason);
  support.otherwise =
      args.graph.node_count() == 0 ? support.graph : verdict(kUnknown, "OTHER", "judged with the whole model only");
  for (const kit::Node& node : args.graph.nodes()) {
    if (support.graph.code == "UNSUPPORTED_OP" && names(*reason, node.op_type()))
      support.nodes.push_back({node.index(), support.graph});
  }
  return support;
}

kit::Manifest OpenVinoEngine::compile(const kit::CompileArgs& args) {
  const CompileFor wanted = target(args.resource, args.precision, args.threads, args.options);
  args.cancel.check();
  args.progress.report(0, 2, "compiling");
  const auto program = Program::from_graph(api_, args.graph, wanted, scratch_folder_);
  args.cancel.check();
  args.progress.report(1, 2, "exporting");
  return program->write_artefact(std::string(args.scratch_folder), wanted);
}

kit::Loaded OpenVinoEngine::load(const kit::LoadArgs& args) {
  const CompileFor wanted = target(args.resource, args.precision, args.threads, args.options);
  const auto open = [&](const CompileFor& how) {
    args.cancel.check();
    return args.blobs.empty() ? Program::from_graph(api_, *args.graph, how, scratch_folder_)
                              : Program::from_artefact(api_, args.blobs, how, scratch_folder_);
  };
  kit::Loaded loaded;
  kit::Effective& effective = loaded.effective;
  const bool lowered = args.precision != "f32";
  if (is_cpu(wanted.device) && (lowered || wanted.settings.profiling)) {
    // The hint is a permission; only the kernels tell what came of it, and reading them costs time in every run.
    CompileFor look = wanted;
    look.settings.profiling = true;
    effective.kernels = open(look)->kernels();
    for (kit::NodeKernel& kernel : effective.kernels) kernel.resource = args.resource;
  }
  auto program = open(wanted);
  const auto property = [&](const char* key) { return model_property(*api_, program->model(), key); };
  const std::string hint = reported_precision(property("INFERENCE_PRECISION_HINT"));
  effective.precision = hint;
  effective.precision_read_back = is_cpu(wanted.device) && hint != "unknown";
  if (lowered && is_cpu(wanted.device)) {
    const auto lowers = [&](const kit::NodeKernel& k) {
      return args.precision == "int8" ? k.precision == "i8" || k.precision == "u8" : k.precision == args.precision;
    };
    effective.precision = std::ranges::any_of(effective.kernels, lowers) ? std::string(args.precision) : "f32";
  }
  if (is_cpu(wanted.device)) effective.threads = leading_number(property("INFERENCE_NUM_THREADS"));
  effective.cpu_set.assign(args.cpu_set.begin(), args.cpu_set.end());
  effective.cpu_set_honoured = args.cpu_set.empty() || process_confined_to(args.cpu_set);
  const std::string streams = property("NUM_STREAMS");
  const bool as_threads = wanted.settings.num_streams == 0 && streams == std::to_string(std::max(wanted.threads, 1));
  effective.options = {{"num_streams", as_threads ? "0" : streams},
                       {"performance_hint", contains(property("PERFORMANCE_HINT"), "LATENCY") ? "latency" : "throughput"},
                       {"profiling", wanted.settings.profiling ? "true" : "false"}};
  loaded.executable = std::make_unique<OpenVinoExecutable>(std::move(program), wanted.settings.profiling);
  return loaded;
}

}  // namespace
}  // namespace axle::openvino

AXLE_ENGINE_PLUGIN(axle::openvino::OpenVinoEngine)
