#include "model/share_weights.h"

#include <algorithm>
#include <filesystem>

#include "base/utf8.h"
#include "model/onnx_source.h"
#include "model/onnx_writer.h"

namespace axle {
namespace {

bool is_shareable(const std::shared_ptr<const Weight>& weight) {
  return weight->in_model_file && weight->path.empty() && weight->bytes.size() >= kLeastSharedBytes;
}

// One folder is all that a model's external data is relative to.
bool has_one_folder(const OnnxSource& source) {
  return source.locations.empty() || std::filesystem::path(source.model_file).parent_path() == source.folder;
}

}  // namespace

std::shared_ptr<const Graph> share_weights(std::shared_ptr<const Graph> graph) {
  if (graph->source == nullptr || graph->source->model_file.empty() || !has_one_folder(*graph->source)) return graph;
  if (std::ranges::none_of(graph->weights, is_shareable)) return graph;
  Graph shared = *graph;
  for (std::shared_ptr<const Weight>& weight : shared.weights) {
    if (!is_shareable(weight)) continue;
    auto named = std::make_shared<Weight>(*weight);
    named->path = graph->source->model_file;
    weight = std::move(named);
  }
  return seal_graph(std::move(shared));
}

std::string shareable_file(const std::string& path) {
  if (path.empty()) return "";
  std::error_code error;
  const std::string file = std::filesystem::canonical(path, error).string();
  return error || !is_valid_utf8(file) ? "" : file;
}

}  // namespace axle
