// The qnn engine: Qualcomm's HTP through ONNX Runtime's plugin execution provider, behind the axle engine ABI. See README.md.
#include <algorithm>
#include <mutex>

#include "hexagon.h"
#include "qnn_executable.h"
#include "qnn_support.h"
#include "settings.h"

namespace axle::qnn {
namespace {

constexpr const char* kPluginVersion = "0.1.0";
constexpr const char* kResource = "npu:0";
// Processors of other machines: the compiler makes their code anywhere. A machine says which generation its own is, or Linux at least
// reaches it through FastRPC, as every Hexagon.
constexpr std::string_view kElsewhere = "hexagon:";
constexpr const char* kOfUnknownGeneration = "driver:fastrpc+hexagon=";
constexpr const char* kOfGeneration = "hexagon=v";

class QnnEngine final : public kit::Engine {
 public:
  static constexpr bool kCompiles = true;
  static constexpr bool kCounts = true;

  QnnEngine(Library library, std::vector<std::string> search)
      : library_(std::move(library)), search_(std::move(search)), here_(library_.emulated ? "" : generation_here()) {}

  static kit::EngineInfo facts() {
    kit::EngineInfo info;
    info.name = "qnn";
    info.vendor = "qualcomm";
    info.plugin_version = kPluginVersion;
    info.description = "Qualcomm's HTP through ONNX Runtime's QNN execution provider, opened at run time";
    info.closed = true;
    info.deterministic = true;
    info.honours_cpu_set = false;  // the emulator makes threads of its own
    info.cancel_latency = kit::CancelLatency::kRun;
    info.install_command = kInstallCommand;
    info.search = library_candidates({});
    return info;
  }

  static std::unique_ptr<kit::Engine> create(kit::Host host, const kit::CreateArgs& args) {
    args.options.check_known({"log_level"});
    return std::make_unique<QnnEngine>(open_library(host, args, ort::log_level(args.options)),
                                       library_candidates(args.search_folders));
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts();
    info.search = search_;
    info.opened = true;
    info.library = {library_.path, library_.version, library_.runtime->library().path, {}};
    info.toolchain = {{"onnxruntime-qnn", library_.version}};
    return info;
  }

  std::vector<kit::ResourceInfo> resources() override {
    kit::ResourceInfo info;
    info.id = kResource;
    info.kind = "npu";
    info.vendor = "qualcomm";
    info.name = library_.emulated ? "Qualcomm HTP x86 emulator" : "Qualcomm HTP";
    info.simulated = library_.emulated;
    std::vector<kit::ResourceInfo> all = {info};
    for (const std::string& generation : generations()) all.push_back(elsewhere(generation, kOfGeneration + generation));
    all.push_back(elsewhere(kUnknownGeneration, kOfUnknownGeneration));
    return all;
  }

  kit::Capability capability(std::string_view resource) override {
    kit::Capability capability;
    capability.formats = {"onnx"};
    capability.precisions = {{"f32", "f32", true}, {"f16", "", true}, {"int8", "i32", true}};
    capability.dtypes = {"f32", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "bool"};
    capability.ops_probed = true;
    capability.dynamic_shapes = kit::DynamicShapes::kNo;
    capability.needs_compile = true;
    capability.copy_recipe = "qnn";
    capability.options = option_table(generation_of(resource));
    capability.presets = preset_table();
    return capability;
  }

  kit::Support support(const kit::SupportArgs& args) override {
    check_generation(parse_settings(args.options), generation_of(args.resource));
    return answer_support(library_, args);
  }

  kit::Manifest compile(const kit::CompileArgs& args) override {
    check_generation(parse_settings(args.options), generation_of(args.resource));
    return compile_artefact(library_, args);
  }

  kit::Loaded load(const kit::LoadArgs& args) override {
    check_generation(parse_settings(args.options), generation_of(args.resource));
    std::call_once(backend_once_, [this] { backend_ = backend_version(library_); });
    return load_executable(library_, backend_, args);
  }

 private:
  static kit::ResourceInfo elsewhere(const std::string& generation, const std::string& compiles_for) {
    kit::ResourceInfo info;
    info.id = std::string(kElsewhere) + generation;
    info.kind = "npu";
    info.vendor = "qualcomm";
    info.name = "Qualcomm HTP of another machine";
    info.attributes["compiles_for"] = compiles_for;
    return info;
  }

  // As option_table takes it.
  std::string generation_of(std::string_view resource) const {
    if (resource == kResource) return here_;
    if (resource.starts_with(kElsewhere)) {
      const std::string generation(resource.substr(kElsewhere.size()));
      if (generation == kUnknownGeneration || std::ranges::find(generations(), generation) != generations().end())
        return generation;
    }
    throw kit::Error(AXLE_NOT_FOUND, "qnn has no resource '" + std::string(resource) + "'");
  }

  Library library_;
  std::vector<std::string> search_;
  std::string here_;  // generation of this machine's processor; "" = the emulator's, which are all
  std::once_flag backend_once_;
  std::optional<Version> backend_;
};

}  // namespace
}  // namespace axle::qnn

AXLE_ENGINE_PLUGIN(axle::qnn::QnnEngine)
