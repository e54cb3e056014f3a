// What a Model holds. Everything but the lazily made graph is set before the Model is handed out.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "axle/model.h"
#include "model/graph.h"
#include "model/inspect.h"

namespace axle {

struct Model::Impl {
  ModelFormat format = ModelFormat::kUnknown;
  std::string path;
  std::string digest;
  std::string producer;
  std::map<std::string, int64_t> opsets;
  std::vector<ModelFile> files;
  ModelOptions options;
  Inspection inspection;  // name, io, metadata of every format; counts of those that have no graph

  // Guarded by `mutex`.
  mutable std::mutex mutex;
  mutable std::optional<Graph> raw;                 // as read, until it is analysed
  mutable std::shared_ptr<const Graph> analysed;
  mutable std::optional<ModelSummary> summary;
};

// Reads the model for real: no record involved.
Result<std::shared_ptr<Model::Impl>> load_model(const std::string& path, const ModelOptions& options);
Result<std::shared_ptr<Model::Impl>> load_model_bytes(std::span<const std::byte> bytes, const std::string& folder,
                                                      const ModelOptions& options);

}  // namespace axle
