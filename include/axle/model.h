// Model: what the user hands in, a file or folder in some format, read and checked but not yet given to any engine.
// A value: copies share one immutable model. All const members are thread-safe.
// Weights are read-only mappings of the files; a file that is truncated while mapped makes later reads fail with SIGBUS,
// so call check_unchanged() before the weights are used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle {

enum class ModelFormat : uint8_t {
  kUnknown,
  kOnnx,
  kOpenvinoIr,
  kTfSavedModel,
  kTfFrozenGraph,
  kTflite,
  kTorchscript,
  kTorchExportedProgram,
  kGguf,
  kSafetensors,
  kHfFolder,
  kTosaMlir,
  kTopMlir,
};

// "onnx", "openvino-ir", "tf-saved-model", "tf-frozen-graph", "tflite", "torchscript", "torch-exported-program", "gguf",
// "safetensors", "hf-folder", "tosa-mlir", "top-mlir"; "unknown".
AXLE_API std::string_view model_format_name(ModelFormat format) noexcept;
AXLE_API std::optional<ModelFormat> parse_model_format(std::string_view name) noexcept;

// One file whose content the model's digest covers.
struct ModelFile {
  std::string path;      // as opened
  std::string role;      // name in the digest: "-" the model file, "weights", or a relative path
  uint64_t size_bytes = 0;
  std::string stamp;     // "device:inode:size:mtime_ns:ctime_ns"; stands for the content while it does not change
  std::string sha256;    // 64 hex digits
  friend bool operator==(const ModelFile&, const ModelFile&) = default;
};

// Bounds on what is read. Going over one is RESOURCE_EXHAUSTED, and the message names the limit.
struct ModelLimits {
  uint64_t max_structure_bytes = 256ull << 20;  // everything of the model file but weights
  uint64_t max_weight_bytes = 4ull << 40;       // all weight files together
  uint32_t max_nodes = 1'000'000;               // after model-local functions are inlined, subgraphs included
  uint32_t max_values = 4'000'000;
  uint32_t max_attributes_per_node = 4'096;
  uint32_t max_name_bytes = 64u << 10;
  uint32_t max_subgraph_depth = 16;
  uint32_t max_rank = 64;
  uint32_t max_files = 10'000;                  // of one model: external data, folders
};

struct ModelOptions {
  ModelLimits limits;
  ModelFormat format = ModelFormat::kUnknown;     // kUnknown: found out from the content
  // Folders, besides the model's own, that external data may resolve into through symbolic links.
  std::vector<std::string> external_data_folders;
};

// Structure and cost, found by shape inference on the shapes the file declares; unknown axes count as 1.
struct ModelSummary {
  uint64_t node_count = 0;       // of the graph view: constants are weights, functions are inlined; 0 for other formats
  uint64_t parameter_count = 0;  // elements of all weights, Constant nodes counted
  uint64_t weight_bytes = 0;
  uint64_t flops = 0;            // per run, multiply-add = 2
  uint64_t activation_bytes = 0; // moved in and out of nodes
  bool cost_exact = false;       // every shape was static
  std::map<std::string, uint64_t> op_counts;  // "Conv", "com.microsoft:FusedConv"
  std::vector<std::string> dynamic_axes;      // symbols and "input[axis]" places, in input order
  std::string category;          // LLM_TRANSFORMER, VISION_CNN, VISION_TRANSFORMER, SPEECH_RNN, RECOMMENDATION_SYSTEM,
                                 // SCIENTIFIC_ML or OTHER
  std::string category_reason;   // the structure that decided it
  std::vector<std::string> issues;  // what is odd but not fatal: unknown ops, shapes that contradict the file
};

class AXLE_API Model {
 public:
  // Reads and checks the structure; does not copy weights. Blocking: hashes every file.
  // NOT_FOUND: no such file. INVALID_ARGUMENT: not a model, or a malformed one (place and remedy in the message).
  // DATA_LOSS: truncated. UNIMPLEMENTED: an opset newer than this build knows. PERMISSION_DENIED: external data outside
  // the model's folder. RESOURCE_EXHAUSTED: over a limit.
  static Result<Model> load(const std::string& path, const ModelOptions& options = {});
  // The same for bytes in memory (copied). `folder` is where external data is looked up; "" = none allowed.
  static Result<Model> from_bytes(std::span<const std::byte> bytes, const std::string& folder = "",
                                  const ModelOptions& options = {});

  ModelFormat format() const noexcept;
  std::string_view format_name() const noexcept;
  const std::string& path() const noexcept;    // "" when made from bytes
  const std::string& name() const noexcept;    // the name inside the file, else the file's stem
  const std::string& digest() const noexcept;  // "sha256:..." (docs/formats/model-digest.md)
  const std::string& producer() const noexcept;  // "pytorch 2.13.0" or ""
  const std::vector<IoSpec>& inputs() const noexcept;   // true inputs only; empty when the format does not say
  const std::vector<IoSpec>& outputs() const noexcept;
  const std::map<std::string, int64_t>& opsets() const noexcept;  // domain ("" = ai.onnx) -> version
  const std::map<std::string, std::string>& metadata() const noexcept;  // what the file says of itself
  const std::vector<ModelFile>& files() const noexcept;

  // Runs shape inference on the first call (about 10 ms and 8 MB for the operator schemas), then is free. Fails only for
  // a model opened from a record whose files have changed since.
  Result<ModelSummary> summary() const;

  // OK while every file still has its stamp; ABORTED names the first that changed, NOT_FOUND the one that is gone.
  Status check_unchanged() const;

  struct Impl;  // internal
  explicit Model(std::shared_ptr<const Impl> impl) noexcept;
  const Impl& impl() const noexcept { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace axle
