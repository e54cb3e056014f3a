#include "model/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "model/inspect.h"
#include "model/onnx_lift.h"
#include "model/wire.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

struct FormatName {
  ModelFormat format;
  std::string_view name;
};

constexpr std::array<FormatName, 13> kFormatNames = {{
    {ModelFormat::kUnknown, "unknown"},
    {ModelFormat::kOnnx, "onnx"},
    {ModelFormat::kOpenvinoIr, "openvino-ir"},
    {ModelFormat::kTfSavedModel, "tf-saved-model"},
    {ModelFormat::kTfFrozenGraph, "tf-frozen-graph"},
    {ModelFormat::kTflite, "tflite"},
    {ModelFormat::kTorchscript, "torchscript"},
    {ModelFormat::kTorchExportedProgram, "torch-exported-program"},
    {ModelFormat::kGguf, "gguf"},
    {ModelFormat::kSafetensors, "safetensors"},
    {ModelFormat::kHfFolder, "hf-folder"},
    {ModelFormat::kTosaMlir, "tosa-mlir"},
    {ModelFormat::kTopMlir, "top-mlir"},
}};

constexpr size_t kMlirHeadBytes = 1u << 20;  // a function begins with its inputs

constexpr const char* kKnownHint =
    "axle reads ONNX, OpenVINO IR, TensorFlow SavedModel, frozen graph and TFLite, TorchScript, exported programs, GGUF, "
    "safetensors, Hugging Face folders, and MLIR text of TOSA or of TPU-MLIR's top dialect";

std::string_view head_of(std::span<const std::byte> bytes, size_t count) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), count)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// What people get instead of a model when a download goes wrong.
Status check_not_a_stand_in(std::span<const std::byte> bytes, const std::string& path) {
  if (bytes.empty()) {
    return invalid_argument_error(fmt::format("{} is empty", path)).with_hint("fetch the model again");
  }
  const std::string_view head = head_of(bytes, 512);
  if (head.starts_with("version https://git-lfs")) {
    return invalid_argument_error(fmt::format("{} is a Git LFS pointer, not the model itself", path))
        .with_hint("run 'git lfs pull' in its repository");
  }
  const std::string text = lower(trim(head));
  if (text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head")) {
    return invalid_argument_error(fmt::format("{} is a web page (HTML), not a model", path))
        .with_hint("the download gave an error page: fetch the file's raw content");
  }
  return ok_status();
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  if (bytes.size() < 10) return false;
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  return header >= 2 && header < (1u << 30) && bytes[8] == std::byte{'{'};
}

// GraphDef: nodes (field 1, messages), versions (4), library (2).
bool looks_like_frozen_graph(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  WireField field;
  bool has_node = false;
  while (reader.next(field)) {
    const bool known = (field.number == 1 || field.number == 2 || field.number == 4)
                           ? field.type == WireType::kBytes
                           : field.number == 3 && field.type == WireType::kVarint;
    if (!known) return false;
    has_node = has_node || field.number == 1;
  }
  return reader.fault() == WireFault::kNone && has_node;
}

bool looks_like_saved_model(std::span<const std::byte> bytes) {
  WireReader reader(bytes);
  WireField field;
  bool has_graph = false;
  while (reader.next(field)) {
    if (field.number == 1 && field.type == WireType::kVarint) continue;
    if (field.number != 2 || field.type != WireType::kBytes) return false;
    has_graph = true;
  }
  return reader.fault() == WireFault::kNone && has_graph;
}

Result<FoundModel> find_in_folder(const std::string& folder) {
  AXLE_ASSIGN_OR_RETURN(const auto entries, list_dir(folder));
  const auto has = [&](std::string_view name) {
    return std::any_of(entries.begin(), entries.end(), [&](const DirEntry& entry) { return entry.name == name; });
  };
  if (has("saved_model.pb")) return FoundModel{ModelFormat::kTfSavedModel, "", folder};
  const auto is_weights = [](const DirEntry& entry) {
    return entry.name.ends_with(".safetensors") || entry.name.starts_with("pytorch_model");
  };
  if (has("config.json") && std::any_of(entries.begin(), entries.end(), is_weights))
    return FoundModel{ModelFormat::kHfFolder, "", folder};
  for (const std::string_view extension : {".onnx", ".xml", ".tflite", ".gguf", ".pt2", ".pt", ".pb", ".safetensors"}) {
    std::vector<std::string> found;
    for (const DirEntry& entry : entries) {
      if (!entry.is_folder && entry.name.ends_with(extension)) found.push_back(entry.name);
    }
    if (found.size() == 1) return find_model(folder + "/" + found.front());
    if (found.size() > 1) {
      return invalid_argument_error(fmt::format("folder {} holds {} {} files", folder, found.size(), extension))
          .with_hint(fmt::format("name one of them, such as {}/{}", folder, printable(found.front())));
    }
  }
  return invalid_argument_error(fmt::format("folder {} holds no model that axle knows", folder)).with_hint(kKnownHint);
}

}  // namespace

std::string_view model_format_name(ModelFormat format) noexcept {
  for (const FormatName& entry : kFormatNames) {
    if (entry.format == format) return entry.name;
  }
  return "unknown";
}

std::optional<ModelFormat> parse_model_format(std::string_view name) noexcept {
  for (const FormatName& entry : kFormatNames) {
    if (entry.name == name) return entry.format;
  }
  return std::nullopt;
}

Result<ModelFormat> detect_format(std::span<const std::byte> bytes, const std::string& path) {
  const std::string shown = path.empty() ? "the model" : printable(path);
  AXLE_RETURN_IF_ERROR(check_not_a_stand_in(bytes, shown));
  const std::string_view head = head_of(bytes, 512);
  const std::string extension = lower(fs::path(path).extension().string());
  if (head.starts_with("GGUF")) return ModelFormat::kGguf;
  if (head.starts_with("PK\x03\x04")) return inspect_torch_archive_format(bytes, shown);
  if (head.size() >= 8 && head.substr(4, 4) == "TFL3") return ModelFormat::kTflite;
  const std::string_view text = trim(head);
  if (text.starts_with("<?xml") || text.starts_with("<net")) return ModelFormat::kOpenvinoIr;
  if (extension == ".mlir") {
    return head_of(bytes, kMlirHeadBytes).find("\"top.Input\"") != std::string_view::npos ? ModelFormat::kTopMlir
                                                                                          : ModelFormat::kTosaMlir;
  }
  if (extension == ".onnx") return ModelFormat::kOnnx;  // the reader says what is wrong with it
  if (extension == ".gguf")
    return invalid_argument_error(fmt::format("{} does not start with the GGUF magic", shown))
        .with_hint("fetch the file again");
  if (extension == ".safetensors" || looks_like_safetensors(bytes)) return ModelFormat::kSafetensors;
  if (looks_like_onnx(bytes)) return ModelFormat::kOnnx;
  if (looks_like_saved_model(bytes)) return ModelFormat::kTfSavedModel;
  if (looks_like_frozen_graph(bytes)) return ModelFormat::kTfFrozenGraph;
  return invalid_argument_error(fmt::format("{} is not a model that axle knows", shown)).with_hint(kKnownHint);
}

Result<FoundModel> find_model(const std::string& path) {
  if (path.find('\0') != std::string::npos || path.empty())
    return invalid_argument_error("the model's path is empty").with_hint("give a file or a folder");
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return not_found_error(fmt::format("there is no model at {}", printable(path))).with_hint("check the path");
  }
  if (fs::is_directory(status)) return find_in_folder(path);
  const fs::path file(path);
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  if (file.filename() == "saved_model.pb") return FoundModel{ModelFormat::kTfSavedModel, "", folder};
  return FoundModel{ModelFormat::kUnknown, path, folder};
}

}  // namespace axle
