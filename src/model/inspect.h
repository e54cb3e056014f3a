// Inspection of formats that axle hands whole to an engine: what they declare of themselves, read with bounds and without
// the vendors' libraries. Each reader is fuzzed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "axle/model.h"

namespace axle {

struct Inspection {
  std::string name;
  std::string producer;
  std::vector<IoSpec> inputs;
  std::vector<IoSpec> outputs;
  std::map<std::string, uint64_t> op_counts;
  uint64_t parameter_count = 0;
  uint64_t weight_bytes = 0;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> issues;
};

using Bytes = std::span<const std::byte>;

// Each: INVALID_ARGUMENT or DATA_LOSS with the place; RESOURCE_EXHAUSTED over a limit. `path` is for messages.
Result<Inspection> inspect_openvino_xml(Bytes xml, const std::string& path, const ModelLimits& limits);
Result<Inspection> inspect_saved_model(Bytes saved_model_pb, const std::string& path, const ModelLimits& limits);
Result<Inspection> inspect_frozen_graph(Bytes graph_def, const std::string& path, const ModelLimits& limits);
Result<Inspection> inspect_tflite(Bytes flatbuffer, const std::string& path, const ModelLimits& limits);
// TOSA as MLIR text (*.mlir).
Result<Inspection> inspect_tosa(Bytes mlir, const std::string& path, const ModelLimits& limits);
// The top dialect of TPU-MLIR as MLIR text (*.mlir). metadata["weight_file"]: the file beside it that holds the weights.
Result<Inspection> inspect_top(Bytes mlir, const std::string& path, const ModelLimits& limits);
Result<Inspection> inspect_torch_archive(Bytes zip, const std::string& path, const ModelLimits& limits);
Result<Inspection> inspect_gguf(Bytes gguf, const std::string& path, const ModelLimits& limits);
Result<Inspection> inspect_safetensors(Bytes safetensors, const std::string& path, const ModelLimits& limits);
// `config_json`: the folder's config.json.
Result<Inspection> inspect_hf_config(Bytes config_json, const std::string& path, const ModelLimits& limits);

// TorchScript or an exported program, by the names in the archive.
Result<ModelFormat> inspect_torch_archive_format(Bytes zip, const std::string& path);

}  // namespace axle
