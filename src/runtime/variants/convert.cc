#include "axle/convert.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "axle/cache.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "engine/worker_channel.h"
#include "model/model_impl.h"
#include "runtime/facts/model_facts.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTorch = "torch==2.13.0";
constexpr const char* kOnnx = "onnx==1.23.2";
constexpr const char* kOnnxscript = "onnxscript==0.7.2";
constexpr const char* kBlob = "model.onnx";
constexpr auto kVersionsLimit = std::chrono::seconds(60);
constexpr auto kConvertLimit = std::chrono::minutes(30);

// What converts: a Python, our script, and the versions of the packages there.
struct Converter {
  std::string python;
  std::string script;
  std::map<std::string, std::string> versions;  // by distribution; missing ones are left out
};

std::string find_python() {
  if (const char* named = std::getenv("AXLE_PYTHON"); named != nullptr && *named != '\0') return named;
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const char* prefix = std::getenv(variable);
    if (prefix == nullptr || prefix[0] != '/') continue;
    const std::string python = std::string(prefix) + "/bin/python";
    std::error_code error;
    if (fs::exists(python, error)) return python;
  }
  return "python3";
}

// Beside axle-worker, which is beside the library.
Result<std::string> find_script() {
  AXLE_ASSIGN_OR_RETURN(const std::string worker, find_worker_program());
  const std::string script = fs::path(worker).parent_path().string() + "/axle-export.py";
  std::error_code error;
  if (fs::exists(script, error)) return script;
  return not_found_error("axle-export.py is not installed beside axle-worker: looked for " + script)
      .with_hint("install axle whole: converting PyTorch models needs it");
}

// Libraries print above what the script says.
Result<Json> answer_of(const SubprocessResult& done, const std::string& python) {
  auto json = parse_json(last_line(done.stdout_text));
  if (json && json->is_object()) return json;
  return unavailable_error(fmt::format("{} did not convert the model: {}: {}", python, done.outcome(),
                                       printable(last_line(done.stderr_text), 500)))
      .with_hint("the conversion ran out of memory, or that Python is broken: try it by hand");
}

Result<Json> run_script(const Converter& converter, const std::vector<std::string>& arguments, std::chrono::nanoseconds limit,
                        const CancelToken& cancel) {
  SubprocessOptions options;
  options.argv = {converter.python, "-I", converter.script};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.timeout = limit;
  options.cancel = cancel;
  auto done = run_subprocess(options);
  if (!done) {
    return unavailable_error(
               fmt::format("the Python that converts PyTorch models cannot be started: {}", done.error().message()))
        .with_hint("name one with AXLE_PYTHON, or activate its environment");
  }
  if (done->cancelled) return cancelled_error("the conversion was cancelled by the caller");
  if (done->timed_out) return deadline_exceeded_error("the conversion took too long and was ended");
  return answer_of(*done, converter.python);
}

Result<Converter> find_converter(const CancelToken& cancel) {
  Converter converter;
  converter.python = find_python();
  AXLE_ASSIGN_OR_RETURN(converter.script, find_script());
  AXLE_ASSIGN_OR_RETURN(const Json versions, run_script(converter, {"versions"}, kVersionsLimit, cancel));
  for (const auto& [name, version] : versions.items()) {
    if (version.is_string()) converter.versions[name] = version.get<std::string>();
  }
  return converter;
}

Status check_packages(const Converter& converter, ModelFormat format) {
  std::vector<std::string> missing;
  const auto want = [&](const char* requirement) {
    const std::string_view name = std::string_view(requirement).substr(0, std::string_view(requirement).find('='));
    if (!converter.versions.contains(std::string(name))) missing.emplace_back(requirement);
  };
  want(kTorch);
  want(kOnnx);
  if (format == ModelFormat::kTorchExportedProgram) want(kOnnxscript);
  if (missing.empty()) return ok_status();
  std::vector<std::string> names;
  for (const std::string& requirement : missing) names.push_back(requirement.substr(0, requirement.find('=')));
  return unavailable_error(fmt::format("no engine reads {} itself: it is converted to ONNX by torch, and {} has no {}",
                                       model_format_name(format), converter.python, join(names, ", ")))
      .with_hint(
          fmt::format("{} -m pip install {} (or name another Python with AXLE_PYTHON)", converter.python, join(missing, " ")));
}

Result<ArtefactKey> key_of(const Converter& converter, const Model& model, const ConvertOptions& options) {
  ArtefactKey key;
  key.model_digest = model.digest();
  key.engine = "convert-onnx";
  AXLE_ASSIGN_OR_RETURN(const MappedFile script, MappedFile::open(converter.script, 1u << 20));
  key.plugin_digest = sha256_of(script.bytes()).to_string();
  key.library_digests = converter.versions;
  if (model.format() == ModelFormat::kTorchscript) {
    for (const NamedTensor& sample : options.samples) {
      key.shapes += fmt::format("{}{}:{}{}", key.shapes.empty() ? "" : ";", sample.name, data_type_name(sample.tensor.dtype()),
                                format_shape(std::span<const int64_t>(sample.tensor.shape())));
      // It may be a number in the model, which is then a part of what is made.
      if (sample.tensor.element_count() == 1) key.shapes += "=" + sha256_of(sample.tensor.bytes()).short_text();
    }
  }
  return key;
}

// As numpy and torch call it.
Result<std::string> type_word(const NamedTensor& sample) {
  switch (sample.tensor.dtype()) {
    case DataType::kFloat32: return std::string("float32");
    case DataType::kFloat64: return std::string("float64");
    case DataType::kFloat16: return std::string("float16");
    case DataType::kBfloat16: return std::string("bfloat16");
    case DataType::kInt64: return std::string("int64");
    case DataType::kInt32: return std::string("int32");
    case DataType::kInt16: return std::string("int16");
    case DataType::kInt8: return std::string("int8");
    case DataType::kUint8: return std::string("uint8");
    case DataType::kBool: return std::string("bool");
    default:
      return invalid_argument_error(fmt::format("input '{}' is {}, which a TorchScript model is not converted for", sample.name,
                                                data_type_name(sample.tensor.dtype())));
  }
}

// What the script is asked; the samples' elements are written beside it, for TorchScript is run on them. An exported program holds
// its own.
Status write_job(const Model& model, const ConvertOptions& options, const std::string& output, const std::string& folder) {
  Json inputs = Json::array();
  const bool wants_samples = model.format() == ModelFormat::kTorchscript;
  for (const NamedTensor& sample : wants_samples ? std::span(options.samples) : std::span<const NamedTensor>()) {
    AXLE_ASSIGN_OR_RETURN(const std::string word, type_word(sample));
    const std::string file = fmt::format("{}/{}.bin", folder, inputs.size());
    const std::span<const std::byte> bytes = sample.tensor.bytes();
    AXLE_RETURN_IF_ERROR(write_file_atomic(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    inputs.push_back({{"name", sample.name}, {"dtype", word}, {"shape", sample.tensor.shape()}, {"file", file}});
  }
  const Json job = {{"model", fs::absolute(model.path()).string()},
                    {"format", model.format_name()},
                    {"output", output},
                    {"inputs", std::move(inputs)}};
  AXLE_ASSIGN_OR_RETURN(const std::string text, canonical_json(job));
  return write_file_atomic(folder + "/job.json", text);
}

Status convert_into(const Converter& converter, const Model& model, const ConvertOptions& options, const std::string& folder,
                    const CancelToken& cancel) {
  const std::string job = folder + "/job";
  std::error_code error;
  if (!fs::create_directory(job, error)) return unavailable_error("cannot make the folder '" + job + "': " + error.message());
  const auto ask = [&]() -> Result<Json> {
    AXLE_RETURN_IF_ERROR(write_job(model, options, folder + "/" + kBlob, job));
    return run_script(converter, {"convert", job + "/job.json"}, kConvertLimit, cancel);
  };
  const Result<Json> asked = ask();
  fs::remove_all(job, error);
  AXLE_RETURN_IF_ERROR(asked.status());
  const Json& answer = *asked;
  if (!answer.contains("error")) return ok_status();
  const std::string said = answer.value("error", ""), hint = answer.value("hint", "");
  // Inputs are the caller's to give; what torch cannot do is the model's fault.
  const bool asks = hint.starts_with("give ") || hint.starts_with("name ");
  return (asks ? invalid_argument_error(said) : failed_precondition_error(said))
      .with_hint(hint)
      .with_family(ErrorFamily::kCompilation);
}

// What was made, under the path and with the files of what it was made from: those are what must not change.
Result<Model> model_of(const std::string& onnx_file, const Model& source, const std::string& how) {
  AXLE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(onnx_file, source.impl().options.limits.max_weight_bytes));
  AXLE_ASSIGN_OR_RETURN(auto impl, load_model_bytes(file.bytes(), "", {.limits = source.impl().options.limits}));
  impl->path = source.path();
  impl->files = source.files();
  impl->inspection.name = source.name();
  impl->inspection.metadata["converted_from"] = fmt::format("{} by {}", source.format_name(), how);
  return Model(std::move(impl));
}

// A folder that is gone afterwards, for a runtime without a cache.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "axle-export-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<Model> convert_without_cache(const Converter& converter, const Model& model, const ConvertOptions& options,
                                    const std::string& how) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return unavailable_error("no folder for the conversion can be made in the system's temporary folder");
  AXLE_RETURN_IF_ERROR(convert_into(converter, model, options, folder.path(), options.cancel));
  return model_of(folder.path() + "/" + kBlob, model, how);
}

}  // namespace

bool needs_conversion(ModelFormat format) noexcept {
  return format == ModelFormat::kTorchscript || format == ModelFormat::kTorchExportedProgram;
}

Result<Model> convert_model(Runtime& runtime, const Model& model, const ConvertOptions& options) {
  if (!needs_conversion(model.format())) return model;
  if (model.path().empty()) {
    return invalid_argument_error("a PyTorch model in memory cannot be converted").with_hint("load it from its file");
  }
  if (options.progress) options.progress("converting the model to ONNX", -1);
  AXLE_ASSIGN_OR_RETURN(const Converter converter, find_converter(options.cancel));
  AXLE_RETURN_IF_ERROR(check_packages(converter, model.format()));
  AXLE_RETURN_IF_ERROR(model.check_unchanged());
  const std::string how = "torch " + converter.versions.at("torch");
  if (runtime.cache() == nullptr) return convert_without_cache(converter, model, options, how);
  AXLE_ASSIGN_OR_RETURN(const ArtefactKey key, key_of(converter, model, options));
  MakeOptions make_options;
  make_options.cancel = options.cancel;
  auto lease = runtime.cache()->get_or_make(
      key,
      [&](const std::string& folder, const CancelToken& cancel) -> Result<ManifestDraft> {
        AXLE_RETURN_IF_ERROR(convert_into(converter, model, options, folder, cancel));
        ManifestDraft draft;
        draft.blobs.push_back({kBlob, "onnx", kBlob});
        AXLE_ASSIGN_OR_RETURN(draft.compatibility_json,
                              canonical_json(Json{{"self_contained", true}, {"facts", Json::object()}}));
        return draft;
      },
      make_options);
  if (!lease && is_cache_failure(lease.error())) return convert_without_cache(converter, model, options, how);
  if (!lease) return std::move(lease).error().with_context(model.path());
  return model_of(lease->blobs().front().path, model, how);
}

}  // namespace axle
