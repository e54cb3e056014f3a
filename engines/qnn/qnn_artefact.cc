#include "qnn_artefact.h"

#include <atomic>
#include <filesystem>
#include <fstream>

#include "graph_session.h"
#include "quiet_stdout.h"
#include "support.h"

namespace axle::qnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGraphsFolder = "graphs";

kit::Error damaged(const std::string& what) {
  return kit::Error(AXLE_DATA_LOSS, "the artefact is damaged: " + what).hint("remove it from the cache and compile again");
}

std::string refusal_hint() {
  return "axle plan lists the nodes that it does not take; allow_fallback = [\"cpu\"] lets the CPU run those";
}

// With `options` of the session; every failure is the vendor's own text.
void compile_into(const Library& library, const ort::ModelSource& source, OrtSessionOptions* session,
                  const std::string& output) {
  const ort::Api& api = library.runtime->api();
  const OrtCompileApi* compiler = api->GetCompileApi();
  ort::set_external_folder(api, session, source);
  OrtModelCompilationOptions* raw = nullptr;
  ort::check(api, compiler->CreateModelCompilationOptionsFromSessionOptions(library.runtime->env(), session, &raw),
             "preparing to compile");
  const ort::Handle<OrtModelCompilationOptions> options(raw, compiler->ReleaseModelCompilationOptions);
  const auto apply = [&](OrtStatus* status) { ort::check(api, status, "preparing to compile"); };
  apply(compiler->ModelCompilationOptions_SetInputModelFromBuffer(raw, source.bytes.data(), source.bytes.size()));
  apply(compiler->ModelCompilationOptions_SetOutputModelPath(raw, output.c_str()));
  apply(compiler->ModelCompilationOptions_SetEpContextEmbedMode(raw, false));
  apply(compiler->ModelCompilationOptions_SetGraphOptimizationLevel(raw, ORT_ENABLE_BASIC));
  apply(compiler->ModelCompilationOptions_SetFlags(raw,
                                                   static_cast<uint32_t>(OrtCompileApiFlags_ERROR_IF_NO_NODES_COMPILED) |
                                                       static_cast<uint32_t>(OrtCompileApiFlags_ERROR_IF_OUTPUT_FILE_EXISTS)));
  const QuietStdout quiet;
  const ort::QuietScope details;
  ort::check(api, compiler->CompileModel(library.runtime->env(), raw), "QNN cannot compile the model");
}

void require_file(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error) && fs::file_size(path, error) > 0) return;
  throw kit::Error(AXLE_RESOURCE_EXHAUSTED, "QNN compiled the model and wrote no " + path).hint("is the disk full?");
}

}  // namespace

std::optional<std::string> refuse_precision(const kit::Graph& graph, std::string_view precision) {
  const ort::GraphTypes types = ort::types_of(graph);
  if (precision == "f32" || precision == "f16") {
    if (types.quantised) return "the model is quantised, and QNN computes it in its integers: ask for int8";
    return std::nullopt;
  }
  if (precision == "int8") {
    if (types.quantised) return std::nullopt;
    return "the model is not quantised, and QNN does not quantise when it compiles";
  }
  throw kit::unimplemented("qnn has no precision '" + std::string(precision) + "'").hint("it has f32, f16 and int8");
}

kit::Manifest compile_artefact(const Library& library, const kit::CompileArgs& args) {
  const Settings settings = parse_settings(args.options);
  require_generation(settings);
  if (const auto reason = refuse_precision(args.graph, args.precision)) throw kit::unimplemented(*reason);
  args.cancel.check();
  const std::string folder(args.scratch_folder), graphs = folder + "/" + kGraphsFolder;
  fs::create_directory(graphs);
  std::string kept;
  const ort::ModelSource source = ort::inline_source_of(args.graph, kept);
  const auto session = make_session_options(library, settings,
                                            {.half = args.precision == "f16", .cpu_fallback = false, .graphs_folder = graphs});
  args.progress.report(0, 1, "compiling for the Hexagon processor v" + settings.htp_arch);
  try {
    compile_into(library, source, session.get(), folder + "/" + kContextFile);
  } catch (const kit::Error& error) {
    throw kit::Error(error.code(), error.message()).hint(refusal_hint()).vendor_code(error.vendor_code());
  }
  args.cancel.check();
  args.progress.report(1, 1, "compiling for the Hexagon processor v" + settings.htp_arch);
  require_file(folder + "/" + kContextFile);
  require_file(folder + "/" + kBinaryFile);
  const std::optional<NodeTypes> types = node_types_in(graphs);
  fs::remove_all(graphs);
  std::ofstream(folder + "/" + kTypesFile) << (types ? to_line(*types) : std::string("unknown\n"));
  const ContextRecord record = record_of(library, folder + "/" + kContextFile);
  kit::Manifest manifest;
  manifest.format = kFormat;
  manifest.self_contained = true;
  for (const char* name : {kContextFile, kBinaryFile, kTypesFile}) manifest.blobs.push_back({name, name});
  manifest.compatibility = {{"sdk", record.sdk.text()},
                            {"backend", record.backend.text()},
                            {"htp_arch", record.arch},
                            {"library", library.version},
                            {"precision", std::string(args.precision)}};
  return manifest;
}

std::optional<ContextRecord> parse_record(std::string_view text) {
  std::vector<std::string_view> fields;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(':', at), text.size());
    fields.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  // Fields: form of the record, form of the context, SDK, backend, architecture, and what only devices have.
  if (fields.size() < 5 || fields[0] != "v2") return std::nullopt;
  const auto sdk = parse_version(fields[2]), backend = parse_version(fields[3]);
  if (!sdk || !backend || fields[4].empty()) return std::nullopt;
  return ContextRecord{*sdk, *backend, std::string(fields[4])};
}

void check_record(const ContextRecord& record, const std::optional<Version>& here, const Settings& settings) {
  if (record.arch != settings.htp_arch) {
    throw kit::failed_precondition("the artefact was compiled for the processor v" + record.arch + ", and v" +
                                   settings.htp_arch + " is asked for")
        .hint("compile again, or set htp_arch=" + record.arch);
  }
  if (here && record.backend > *here) {
    throw kit::failed_precondition("the artefact was compiled with the QNN SDK " + record.sdk.text() + " (backend " +
                                   record.backend.text() + "), newer than backend " + here->text() + " here")
        .hint("compile again, or install the newer one: " + std::string(kInstallCommand));
  }
}

ContextRecord record_of(const Library& library, const std::string& file) {
  const ort::Api& api = library.runtime->api();
  char* text = nullptr;
  const ort::QuietScope details;
  try {
    ort::check(api, api->GetCompatibilityInfoFromModel(file.c_str(), kProvider, library.runtime->allocator(), &text), file);
  } catch (const kit::Error& error) {
    throw damaged(error.message());
  }
  if (text == nullptr) throw damaged(file + " does not say what compiled it");
  const std::string found = text;
  ort::check(api, api->AllocatorFree(library.runtime->allocator(), text), "reading what compiled a graph");
  if (const auto record = parse_record(found)) return *record;
  throw kit::failed_precondition("the artefact's record of what compiled it is unknown here: " + found)
      .hint("compile again with the QNN that is installed");
}

ContextFolder::ContextFolder(const Library& library, std::string_view scratch_folder) {
  static std::atomic<uint64_t> next{0};
  const std::string parent = scratch_folder.empty() ? library.runtime->scratch_folder() : std::string(scratch_folder);
  path_ = parent + "/context-" + std::to_string(next.fetch_add(1));
  fs::create_directories(path_);
}

ContextFolder::~ContextFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void ContextFolder::take(std::span<const kit::Blob> blobs) {
  for (const char* name : {kContextFile, kBinaryFile, kTypesFile}) {
    const kit::Blob* found = nullptr;
    for (const kit::Blob& blob : blobs) found = blob.name == name ? &blob : found;
    if (found == nullptr) throw damaged(std::string(name) + " is missing");
    std::error_code error;
    if (!found->path.empty()) {
      fs::create_symlink(fs::absolute(std::string(found->path)), file(name), error);
      if (!error) continue;
    }
    std::ofstream copy(file(name), std::ios::binary);
    copy.write(found->data.data(), static_cast<std::streamsize>(found->data.size()));
    if (!copy.flush()) throw damaged(std::string(name) + " cannot be put into place");
  }
}

}  // namespace axle::qnn
