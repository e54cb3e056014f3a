// The onnxruntime engine: ONNX Runtime behind the axle engine ABI. See README.md.
#include "artefact.h"
#include "executable.h"
#include "providers.h"
#include "settings.h"
#include "support.h"

namespace axle::ort {
namespace {

constexpr const char* kPluginVersion = "0.1.0";

class OnnxRuntimeEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  OnnxRuntimeEngine(std::shared_ptr<const Runtime> runtime, std::vector<std::string> search)
      : runtime_(std::move(runtime)), search_(std::move(search)), providers_(runtime_), supporter_(runtime_, providers_) {}

  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "onnxruntime";
    info.vendor = "microsoft";
    info.plugin_version = kPluginVersion;
    info.description =
        "ONNX Runtime through its C API, opened at run time; API " + std::to_string(ORT_API_VERSION) + " headers";
    info.deterministic = false;     // the vendor promises no equal bytes
    info.honours_cpu_set = true;    // every worker is made and confined here; the calling thread is the host's
    info.cancel_latency = kit::CancelLatency::kNode;
    info.install_command = kInstallCommand;
    info.search = library_candidates({});
    return info;
  }

  static std::unique_ptr<kit::Engine> create(kit::Host host, const kit::CreateArgs& args) {
    args.options.check_known({"log_level", "ep_libraries"});
    std::shared_ptr<const Runtime> runtime = Runtime::create(host, args, log_level(args.options));
    auto engine = std::make_unique<OnnxRuntimeEngine>(std::move(runtime), library_candidates(args.search_folders));
    engine->providers_.register_libraries(args.options.text_or("ep_libraries", ""));
    return engine;
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.search = search_;
    info.opened = true;
    const VendorLibrary& library = runtime_->library();
    info.library = {library.path, library.version, library.build, other_copies(library.path)};
    return info;
  }

  std::vector<kit::ResourceInfo> resources() override { return providers_.resources(); }

  kit::Capability capability(std::string_view resource) override {
    const std::vector<std::string> providers = providers_.names_on(resource);
    kit::Capability capability;
    capability.formats = {"onnx", "onnx-external", "ort"};
    const bool cpu = resource == "cpu:0";
    // On the CPU a narrow float type mostly means: stored narrow, computed in f32.
    capability.precisions = {
        {"f32", "f32", true}, {"int8", "i32", true}, {"f64", "f64", true}, {"f16", "f32", !cpu}, {"bf16", "f32", !cpu}};
    for (size_t type = 1; type < kit::kDataTypeNames.size(); ++type) {
      if (type != 14 && type != 15) capability.dtypes.emplace_back(kit::kDataTypeNames[type]);  // no complex tensors
    }
    capability.ops_probed = true;
    capability.dynamic_shapes = kit::DynamicShapes::kYes;
    capability.options = option_table(providers);
    for (kit::Option& option : capability.options) {
      if (option.name == "provider") option.default_value = providers.front();
    }
    capability.presets = preset_table();
    capability.limits = {{"threads_max", 256}};
    return capability;
  }

  kit::Support support(const kit::SupportArgs& args) override { return supporter_.answer(args); }
  kit::Manifest compile(const kit::CompileArgs& args) override { return compile_artefact(runtime_, providers_, args); }
  kit::Loaded load(const kit::LoadArgs& args) override { return load_executable(runtime_, providers_, args); }

 private:
  std::shared_ptr<const Runtime> runtime_;
  std::vector<std::string> search_;
  Providers providers_;
  Supporter supporter_;
};

}  // namespace
}  // namespace axle::ort

AXLE_ENGINE_PLUGIN(axle::ort::OnnxRuntimeEngine)
