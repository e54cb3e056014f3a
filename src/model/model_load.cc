// From a path or bytes to Model::Impl: find the format, read or inspect it, hash what it consists of.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "model/digest.h"
#include "model/format.h"
#include "model/inspect.h"
#include "model/model_impl.h"
#include "model/onnx_reader.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

using ImplPtr = std::shared_ptr<Model::Impl>;

IoSpec to_io_spec(const Value& value) { return IoSpec{value.name, value.dtype, value.shape, value.rank_known, false}; }

void take_onnx(OnnxRead read, Model::Impl& impl) {
  impl.inspection.name = read.graph.name;
  impl.inspection.metadata = std::move(read.metadata);
  impl.producer = std::move(read.producer);
  impl.opsets = read.graph.opsets;
  for (const ValueId id : read.graph.inputs) impl.inspection.inputs.push_back(to_io_spec(read.graph.values[id]));
  for (const ValueId id : read.graph.outputs) impl.inspection.outputs.push_back(to_io_spec(read.graph.values[id]));
  read.graph.path = impl.path;
  read.graph.digest = impl.digest;
  impl.raw = std::move(read.graph);
}

// The graph of a format that is handed over whole: inputs and outputs only.
void take_whole(Inspection inspection, Model::Impl& impl) {
  Graph graph;
  graph.format = model_format_name(impl.format);
  graph.name = inspection.name;
  graph.path = impl.path;
  graph.digest = impl.digest;
  const auto add = [&](const std::vector<IoSpec>& specs, std::vector<ValueId>& ids) {
    for (const IoSpec& spec : specs) {
      ids.push_back(static_cast<ValueId>(graph.values.size()));
      Value value;
      value.name = spec.name;
      value.dtype = spec.dtype;
      value.rank_known = spec.rank_known;
      value.shape = spec.shape;
      graph.values.push_back(std::move(value));
    }
  };
  add(inspection.inputs, graph.inputs);
  add(inspection.outputs, graph.outputs);
  graph.issues = inspection.issues;
  impl.producer = inspection.producer;
  impl.inspection = std::move(inspection);
  impl.raw = std::move(graph);
}

void name_after_file(Model::Impl& impl) {
  if (impl.inspection.name.empty() && !impl.path.empty()) impl.inspection.name = fs::path(impl.path).stem().string();
}

using Inspector = Result<Inspection> (*)(Bytes, const std::string&, const ModelLimits&);

Inspector inspector_of(ModelFormat format) {
  switch (format) {
    case ModelFormat::kOpenvinoIr: return inspect_openvino_xml;
    case ModelFormat::kTfSavedModel: return inspect_saved_model;
    case ModelFormat::kTfFrozenGraph: return inspect_frozen_graph;
    case ModelFormat::kTflite: return inspect_tflite;
    case ModelFormat::kTorchscript:
    case ModelFormat::kTorchExportedProgram: return inspect_torch_archive;
    case ModelFormat::kGguf: return inspect_gguf;
    case ModelFormat::kSafetensors: return inspect_safetensors;
    case ModelFormat::kHfFolder: return inspect_hf_config;
    case ModelFormat::kTosaMlir: return inspect_tosa;
    case ModelFormat::kTopMlir: return inspect_top;
    default: return nullptr;
  }
}

// Relative paths that make up a model in folder form.
bool is_hf_file(std::string_view path) {
  constexpr std::array<std::string_view, 6> kExtensions = {".json", ".safetensors", ".bin", ".model", ".txt", ".jinja"};
  return path.find('/') == std::string_view::npos &&
         std::any_of(kExtensions.begin(), kExtensions.end(),
                     [&](std::string_view extension) { return path.ends_with(extension); });
}

bool is_saved_model_file(std::string_view path) {
  return path == "saved_model.pb" || path == "fingerprint.pb" || path.starts_with("variables/") || path.starts_with("assets");
}

Status load_folder(const FoundModel& found, Model::Impl& impl) {
  const bool is_hf = found.format == ModelFormat::kHfFolder;
  AXLE_ASSIGN_OR_RETURN(impl.files,
                        hash_model_folder(found.folder, impl.options.limits, is_hf ? is_hf_file : is_saved_model_file));
  impl.digest = model_digest(impl.files);
  const std::string main = found.folder + (is_hf ? "/config.json" : "/saved_model.pb");
  AXLE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(main, impl.options.limits.max_structure_bytes));
  AXLE_ASSIGN_OR_RETURN(Inspection inspection, inspector_of(found.format)(file.bytes(), main, impl.options.limits));
  const auto weights = [](const ModelFile& part) {
    return part.role.ends_with(".safetensors") || part.role.ends_with(".bin") ||
           part.role.starts_with("variables/variables.data");
  };
  for (const ModelFile& part : impl.files) inspection.weight_bytes += weights(part) ? part.size_bytes : 0;
  take_whole(std::move(inspection), impl);
  return ok_status();
}

Status load_onnx_file(const std::shared_ptr<const MappedFile>& file, const std::string& folder, Model::Impl& impl) {
  const ModelBytes bytes{file->bytes(), file, impl.path};
  AXLE_ASSIGN_OR_RETURN(OnnxRead read, read_onnx(bytes, folder, impl.options));
  AXLE_ASSIGN_OR_RETURN(ModelFile main, hash_mapped_file(*file, "-"));
  impl.files.push_back(std::move(main));
  for (const auto& [location, external] : read.external_files) {
    AXLE_ASSIGN_OR_RETURN(ModelFile part, hash_mapped_file(*external, location));
    impl.files.push_back(std::move(part));
  }
  impl.digest = model_digest(impl.files);
  take_onnx(std::move(read), impl);
  return ok_status();
}

// The weights of an OpenVINO IR lie beside the XML under the same stem.
Status add_ir_weights(Model::Impl& impl, Inspection& inspection) {
  const fs::path weights = fs::path(impl.path).replace_extension(".bin");
  std::error_code error;
  if (!fs::exists(weights, error)) {
    return not_found_error(fmt::format("the weights file {} of {} is missing", weights.string(), impl.path))
        .with_hint("keep the .xml and .bin files together");
  }
  AXLE_ASSIGN_OR_RETURN(ModelFile file, hash_model_file(weights.string(), "weights"));
  if (inspection.weight_bytes > file.size_bytes) {
    return data_loss_error(fmt::format("{} wants {} bytes of weights, but {} has only {}", impl.path, inspection.weight_bytes,
                                       weights.string(), file.size_bytes))
        .with_hint("the .bin file is truncated or belongs to another model");
  }
  impl.files.push_back(std::move(file));
  return ok_status();
}

// A module of TPU-MLIR names its weights' file, and a calibration table may lie beside it under the same stem.
Status add_top_parts(Model::Impl& impl, Inspection& inspection) {
  const fs::path module(impl.path);
  const std::string& name = inspection.metadata["weight_file"];
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.')) {
    return invalid_argument_error(
               fmt::format("{} names no file beside it as module.weight_file: \"{}\"", impl.path, printable(name, 100)))
        .with_hint("keep the weights' .npz in the same folder, and name it without one");
  }
  const fs::path weights = module.parent_path() / name;
  std::error_code error;
  if (!fs::exists(weights, error)) {
    return not_found_error(fmt::format("the weights file {} of {} is missing", weights.string(), impl.path))
        .with_hint("keep the .mlir and .npz files together");
  }
  AXLE_ASSIGN_OR_RETURN(ModelFile file, hash_model_file(weights.string(), "weights"));
  inspection.weight_bytes = file.size_bytes;
  impl.files.push_back(std::move(file));
  const fs::path table = fs::path(module).replace_extension(".cal");
  if (!fs::exists(table, error)) return ok_status();
  AXLE_ASSIGN_OR_RETURN(ModelFile calibration, hash_model_file(table.string(), "calibration"));
  impl.files.push_back(std::move(calibration));
  return ok_status();
}

Status load_inspected_file(const MappedFile& file, Model::Impl& impl) {
  AXLE_ASSIGN_OR_RETURN(Inspection inspection, inspector_of(impl.format)(file.bytes(), impl.path, impl.options.limits));
  AXLE_ASSIGN_OR_RETURN(ModelFile main, hash_mapped_file(file, "-"));
  impl.files.push_back(std::move(main));
  if (impl.format == ModelFormat::kOpenvinoIr) AXLE_RETURN_IF_ERROR(add_ir_weights(impl, inspection));
  if (impl.format == ModelFormat::kTopMlir) AXLE_RETURN_IF_ERROR(add_top_parts(impl, inspection));
  impl.digest = model_digest(impl.files);
  take_whole(std::move(inspection), impl);
  return ok_status();
}

Status load_found(const FoundModel& found, Model::Impl& impl) {
  if (found.main_file.empty()) {
    impl.format = found.format;
    return load_folder(found, impl);
  }
  impl.path = found.main_file;
  AXLE_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(found.main_file, impl.options.limits.max_weight_bytes));
  auto file = std::make_shared<const MappedFile>(std::move(mapped));
  impl.format = impl.options.format;
  if (impl.format == ModelFormat::kUnknown) {
    AXLE_ASSIGN_OR_RETURN(impl.format, detect_format(file->bytes(), found.main_file));
  }
  if (impl.format == ModelFormat::kOnnx) return load_onnx_file(file, found.folder, impl);
  return load_inspected_file(*file, impl);
}

}  // namespace

Result<ImplPtr> load_model(const std::string& path, const ModelOptions& options) {
  auto impl = std::make_shared<Model::Impl>();
  impl->options = options;
  AXLE_ASSIGN_OR_RETURN(const FoundModel found, find_model(path));
  impl->path = found.main_file.empty() ? found.folder : found.main_file;
  if (Status status = load_found(found, *impl); !status.ok()) {
    const bool names_file = status.message().find(impl->path) != std::string::npos;
    return names_file ? status : std::move(status).with_context(impl->path);
  }
  name_after_file(*impl);
  return impl;
}

Result<ImplPtr> load_model_bytes(std::span<const std::byte> bytes, const std::string& folder, const ModelOptions& options) {
  auto impl = std::make_shared<Model::Impl>();
  impl->options = options;
  impl->format = options.format;
  if (impl->format == ModelFormat::kUnknown) {
    AXLE_ASSIGN_OR_RETURN(impl->format, detect_format(bytes, ""));
  }
  impl->files = {ModelFile{"", "-", bytes.size(), "", sha256_of(bytes).hex()}};
  if (impl->format != ModelFormat::kOnnx) {
    if (impl->format == ModelFormat::kOpenvinoIr || impl->format == ModelFormat::kTfSavedModel ||
        impl->format == ModelFormat::kTopMlir) {
      return unimplemented_error(fmt::format("a model of format {} consists of several files and cannot come from bytes",
                                             model_format_name(impl->format)))
          .with_hint("load it from its path");
    }
    const Inspector inspector = inspector_of(impl->format);
    if (inspector == nullptr) return invalid_argument_error("unknown model format");
    AXLE_ASSIGN_OR_RETURN(Inspection inspection, inspector(bytes, "the model", options.limits));
    impl->digest = model_digest(impl->files);
    take_whole(std::move(inspection), *impl);
    return impl;
  }
  auto copy = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  AXLE_ASSIGN_OR_RETURN(OnnxRead read, read_onnx(ModelBytes{*copy, copy, ""}, folder, options));
  for (const auto& [location, external] : read.external_files) {
    AXLE_ASSIGN_OR_RETURN(ModelFile part, hash_mapped_file(*external, location));
    impl->files.push_back(std::move(part));
  }
  impl->digest = model_digest(impl->files);
  take_onnx(std::move(read), *impl);
  return impl;
}

}  // namespace axle
