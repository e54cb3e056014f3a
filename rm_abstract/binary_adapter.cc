#include "rm_abstract/binary_adapter.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "axle/cache.h"
#include "black_box_engine.h"

namespace rm_abstract {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogFile = "axle-log.txt";

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, axle::BlackBoxFunction> default_functions() {
  return {{"load", {"npu_load", "handle(path)"}},
          {"run", {"npu_run", "status(handle, inputs, input_sizes, input_count, outputs, output_sizes, output_count)"}},
          {"unload", {"npu_unload", "void(handle)"}}};
}

axle::Result<axle::Plan> plan_of(const BlackBoxEngine& engine, const axle::Model& model, const axle::BlackBox& box) {
  axle::EngineChoice choice;
  choice.engine = box.name;
  choice.precision = box.precision;
  return axle::plan_on_engine(*engine.runtime, model, choice);
}

}  // namespace

struct CLICompilerAdapter::Engine {
  std::shared_ptr<BlackBoxEngine> black_box;
};

// NOLINTNEXTLINE(performance-unnecessary-value-param): as the orchestrator declares it
CLICompilerAdapter::CLICompilerAdapter(BuildProfile build_profile, std::string cli_name, CompilerOptions options)
    : profile_(std::move(build_profile)), options_(std::move(options)) {
  const fs::path program(cli_name);
  box_.program = program.filename().string();
  box_.vendor = profile_.compiler.empty() ? box_.program : profile_.compiler;
  box_.name = axle::engine_name_of(box_.vendor);
  box_.kind = resource_kind_of(profile_.target_resource_type);
  box_.pci_ids = options_.pci_ids;
  box_.precision = profile_.precision();
  if (program.has_parent_path()) box_.search_paths.push_back(program.parent_path().string());
  box_.search_paths.insert(box_.search_paths.end(), options_.search_paths.begin(), options_.search_paths.end());
  box_.flags = profile_.flags;
  box_.arguments = {"--input", "{input}", "--output", "{output}"};
  const std::vector<std::string> flags = axle::flag_arguments(box_.flags);
  box_.arguments.insert(box_.arguments.end(), flags.begin(), flags.end());
  if (options_.arguments) box_.arguments = *options_.arguments;
  box_.version_arguments = options_.version_arguments;
  box_.version_pattern = options_.version_pattern;
  if (!box_.version_arguments.empty() && !profile_.compiler_version.empty()) box_.versions = "=" + profile_.compiler_version;
  box_.log_must = options_.log_must;
  box_.timeout_ns = options_.timeout_ns;
}

CLICompilerAdapter::~CLICompilerAdapter() = default;

axle::Status CLICompilerAdapter::open() {
  if (engine_) return axle::ok_status();
  AXLE_ASSIGN_OR_RETURN(auto opened, BlackBoxEngine::open(box_, options_.cache_folder));
  engine_ = std::make_shared<Engine>(Engine{std::move(opened)});
  return axle::ok_status();
}

bool CLICompilerAdapter::is_available() { return open().ok(); }

axle::Result<BuildArtifact> CLICompilerAdapter::compile(const std::string& input_path, const std::string& output_path,
                                                        const std::string& model_id) {
  AXLE_RETURN_IF_ERROR(open());
  axle::Runtime& runtime = *engine_->black_box->runtime;
  AXLE_ASSIGN_OR_RETURN(const axle::Model model, axle::open_model(runtime, input_path));
  AXLE_ASSIGN_OR_RETURN(const axle::Plan plan, plan_of(*engine_->black_box, model, box_));
  axle::CompileOptions options;
  options.cancel = options_.cancel;
  options.progress = options_.progress;
  AXLE_ASSIGN_OR_RETURN(const std::vector<axle::CompiledPart> parts, axle::compile_plan(runtime, model, plan, options));
  const axle::CompiledPart& part = parts.front();
  if (part.key_digest.empty()) return axle::failed_precondition_error("the artefact could not be kept in the cache");
  std::error_code error;
  const fs::path target = fs::absolute(output_path, error);
  AXLE_ASSIGN_OR_RETURN(const PrivateFolder folder, PrivateFolder::create(target.parent_path().string()));
  AXLE_RETURN_IF_ERROR(axle::write_artefact_files(*runtime.cache(), part.key_digest, folder.path()).status());
  fs::rename(folder.file(box_.output), target, error);
  if (error) return axle::permission_denied_error("cannot write '" + output_path + "': " + error.message());
  BuildArtifact artifact{target.string(), model_id, profile_};
  artifact.model_path = fs::absolute(input_path, error).string();
  artifact.model_digest = model.digest();
  artifact.key_digest = part.key_digest;
  artifact.cache = part.cache;
  artifact.compile_ns = part.compile_ns;
  artifact.log = content_of(folder.file(kLogFile));
  return artifact;
}

// NOLINTBEGIN(performance-unnecessary-value-param): as the orchestrator declares it
ConfigFileCompilerAdapter::ConfigFileCompilerAdapter(BuildProfile build_profile, std::string cli_name,
                                                     const std::string& config_template, CompilerOptions options)
    : CLICompilerAdapter(std::move(build_profile), std::move(cli_name), options) {
  if (!options.arguments) box_.arguments = {"--config", "{config}"};
  box_.config = config_template;
  if (!config_template.empty()) return;
  box_.config = "input={input}\noutput={output}\n";
  for (const auto& [name, value] : box_.flags) box_.config += name + "={" + name + "}\n";
}
// NOLINTEND(performance-unnecessary-value-param)

BinaryRuntimeAdapter::BinaryRuntimeAdapter(BuildArtifact artifact, std::string runtime_so, BinaryRuntimeOptions options)
    : artifact_(std::move(artifact)), runtime_so_(std::move(runtime_so)), options_(std::move(options)) {}
BinaryRuntimeAdapter::~BinaryRuntimeAdapter() = default;

axle::Status BinaryRuntimeAdapter::load() {
  axle::BlackBox box;
  box.vendor = artifact_.profile.compiler;
  box.name = axle::engine_name_of(artifact_.profile.compiler + "_runtime");
  box.kind = resource_kind_of(artifact_.profile.target_resource_type);
  box.pci_ids = options_.pci_ids;
  box.precision = artifact_.profile.precision();
  box.engine_file = artifact_.path;
  box.engine_digest = artifact_.key_digest;
  box.runtime_library = runtime_so_;
  box.functions = options_.functions.empty() ? default_functions() : options_.functions;
  AXLE_ASSIGN_OR_RETURN(auto engine, BlackBoxEngine::open(box, options_.cache_folder));
  axle::Runtime& runtime = *engine->runtime;
  if (runtime.cache() == nullptr)
    return axle::failed_precondition_error("there is no cache to check the compiled file against");
  AXLE_RETURN_IF_ERROR(
      axle::write_artefact_files(*runtime.cache(), artifact_.key_digest, engine->folder.file("compiled")).status());
  if (content_of(engine->folder.file("compiled/" + box.output)) != content_of(artifact_.path))
    return axle::data_loss_error("'" + artifact_.path + "' is not the file that was compiled")
        .with_hint("compile the model again");
  AXLE_ASSIGN_OR_RETURN(const axle::Model model, axle::open_model(runtime, artifact_.model_path));
  if (model.digest() != artifact_.model_digest)
    return axle::failed_precondition_error("'" + artifact_.path + "' was compiled from another model than '" +
                                           artifact_.model_path + "' is now")
        .with_hint("compile the model again");
  AXLE_ASSIGN_OR_RETURN(const axle::Plan plan, plan_of(*engine, model, box));
  axle::SessionOptions options;
  options.runtime = engine->runtime;
  AXLE_ASSIGN_OR_RETURN(session_, axle::Session::load(model, plan, std::move(options)));
  engine_ = std::move(engine);
  return axle::ok_status();
}

axle::Result<std::vector<axle::NamedTensor>> BinaryRuntimeAdapter::run(std::span<const axle::NamedTensor> inputs) const {
  if (!session_)
    return axle::failed_precondition_error("'" + artifact_.path + "' is not loaded").with_hint("call load() first");
  return session_->run(inputs);
}

void BinaryRuntimeAdapter::unload() {
  session_.reset();
  engine_.reset();
}

}  // namespace rm_abstract
