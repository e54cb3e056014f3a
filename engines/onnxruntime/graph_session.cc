#include "graph_session.h"

namespace axle::ort {
namespace {

size_t overridable_weights(const Session& session) {
  size_t count = 0;
  check(session.api(), session.api()->SessionGetOverridableInitializerCount(session.get(), &count),
        "counting overridable weights");
  return count;
}

// ModelProto.ir_version = 4, as a field that overrides an earlier one: from 4 on, weights need not be inputs.
constexpr std::string_view kIrVersion4 = "\x08\x04";

bool older_than_ir_4(std::string_view model) { return model.size() >= 2 && model[0] == '\x08' && model[1] < '\x04'; }

}  // namespace

ModelSource source_of(const kit::Graph& graph) {
  ModelSource source;
  if (!graph.path().empty()) {
    source.path = graph.path();
    return source;
  }
  if (graph.format() != "onnx")
    throw kit::unimplemented("a model of format '" + std::string(graph.format()) + "' needs its file");
  const kit::OnnxModel model = graph.onnx();
  source.bytes = model.bytes;
  source.external_folder = model.folder;
  return source;
}

ModelSource inline_source_of(const kit::Graph& graph, std::string& kept) {
  const kit::OnnxModel model = graph.onnx();
  ModelSource source;
  source.bytes = model.bytes;
  source.external_folder = model.folder;
  if (older_than_ir_4(source.bytes)) source.bytes = kept = std::string(source.bytes).append(kIrVersion4);
  return source;
}

std::unique_ptr<Session> open_graph(const std::shared_ptr<const Runtime>& runtime, const MakeOptions& make_options,
                                    std::span<const int32_t> cpu_set, const kit::Graph& graph, const kit::Cancel& cancel) {
  const auto open = [&](const ModelSource& source) {
    return Session::open(runtime, make_options(), std::make_unique<WorkerThreads>(cpu_set), source, cancel);
  };
  std::string older;
  ModelSource source = source_of(graph);
  if (source.path.empty()) {
    if (older_than_ir_4(source.bytes)) source.bytes = older = std::string(source.bytes).append(kIrVersion4);
    return open(source);
  }
  std::unique_ptr<Session> session = open(source);
  if (graph.format() != "onnx" || overridable_weights(*session) == 0) return session;
  session.reset();
  return open(inline_source_of(graph, older));
}

}  // namespace axle::ort
