#include "testing/engine_case.h"

#include <cstdlib>
#include <cstring>

#include <onnx/defs/parser.h>

#include "model/model_graph.h"

namespace axle::testing {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "axle-ort-test-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<std::shared_ptr<EngineRegistry>> onnxruntime_registry(const std::string& library) {
  EngineRegistryOptions options;
  options.plugin_folders = {AXLE_BINARY_DIR "/lib/axle/engines"};
  options.default_folders = false;
  options.only = {"onnxruntime"};
  if (!library.empty()) options.libraries["onnxruntime"] = library;
  return EngineRegistry::create(options);
}

Result<std::shared_ptr<const GraphIndex>> graph_from_text(const std::string& text) {
  onnx::ModelProto model;
  const auto parsed = onnx::OnnxParser::Parse(model, text.c_str());
  if (!parsed.IsOK()) return invalid_argument_error(parsed.ErrorMessage());
  const std::string bytes = model.SerializeAsString();
  AXLE_ASSIGN_OR_RETURN(const Model read, Model::from_bytes(std::as_bytes(std::span(bytes))));
  AXLE_ASSIGN_OR_RETURN(auto graph, graph_of(read));
  return GraphIndex::create(std::move(graph));
}

Result<std::shared_ptr<const GraphIndex>> graph_from_file(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const Model model, Model::load(path));
  AXLE_ASSIGN_OR_RETURN(auto graph, graph_of(model));
  return GraphIndex::create(std::move(graph));
}

std::string shared_models() {
  const char* named = std::getenv("AXLE_SHARED_MODELS");
  const std::filesystem::path folder = named != nullptr ? named : AXLE_SOURCE_DIR "/../shared/models";
  return std::filesystem::is_directory(folder) ? folder.string() : "";
}

void OnnxRuntimeEngine::SetUp() {
  auto registry = onnxruntime_registry();
  ASSERT_THAT(registry, IsOk());
  auto engine = (*registry)->open("onnxruntime");
  if (engine.status().code() == StatusCode::kUnavailable) GTEST_SKIP() << engine.status().to_string();
  ASSERT_THAT(engine, IsOk());
  engine_ = *engine;
}

EngineLoadRequest OnnxRuntimeEngine::request(std::shared_ptr<const GraphIndex> graph,
                                             std::map<std::string, std::string> overrides) const {
  EngineLoadRequest request;
  request.graph = std::move(graph);
  request.resource = "cpu:0";
  const auto capability = engine_->capability("cpu:0");
  EXPECT_THAT(capability, IsOk());
  const auto options = resolve_options(*capability, "default", overrides);
  EXPECT_THAT(options, IsOk());
  if (options.has_value()) request.options = *options;
  return request;
}

std::shared_ptr<const Executable> OnnxRuntimeEngine::load(const EngineLoadRequest& request) const {
  auto loaded = engine_->load(request);
  EXPECT_THAT(loaded, IsOk());
  return loaded.has_value() ? *loaded : nullptr;
}

std::shared_ptr<const Executable> OnnxRuntimeEngine::load_artefact(const EngineLoadRequest& request) {
  EngineRequest compile = request;
  compile.scratch_folder = scratch_.path() + "/artefact";
  std::filesystem::remove_all(compile.scratch_folder);
  std::filesystem::create_directory(compile.scratch_folder);
  const auto manifest = engine_->compile(compile, request.threads);
  EXPECT_THAT(manifest, IsOk());
  if (!manifest.has_value()) return nullptr;
  EXPECT_TRUE(manifest->self_contained);
  EngineLoadRequest warm = request;
  warm.graph = nullptr;
  for (const ManifestBlob& blob : manifest->blobs)
    warm.blobs.push_back({blob.name, {}, compile.scratch_folder + "/" + blob.path});
  return load(warm);
}

Result<std::map<std::string, Tensor>> run_once(const Executable& executable, const std::map<std::string, Tensor>& feeds) {
  AXLE_ASSIGN_OR_RETURN(Context context, executable.make_context());
  const EngineIo& io = executable.io();
  for (size_t i = 0; i < io.inputs.size(); ++i) {
    const auto found = feeds.find(io.inputs[i].name);
    if (found == feeds.end()) return not_found_error("no feed for " + io.inputs[i].name);
    AXLE_RETURN_IF_ERROR(context.bind_input(i, found->second));
  }
  AXLE_RETURN_IF_ERROR(context.run());
  std::map<std::string, Tensor> outputs;
  for (size_t i = 0; i < io.outputs.size(); ++i) {
    AXLE_ASSIGN_OR_RETURN(const OutputView view, context.output(i));
    AXLE_ASSIGN_OR_RETURN(Tensor copy, Tensor::allocate(view.dtype, Shape(view.shape.begin(), view.shape.end())));
    if (view.dtype == DataType::kString) {
      const auto* texts = static_cast<const axle_text_t*>(view.data);
      for (size_t k = 0; k < copy.mutable_strings().size(); ++k) copy.mutable_strings()[k].assign(texts[k].data, texts[k].size);
    } else if (view.size_bytes > 0) {
      std::memcpy(copy.mutable_data(), view.data, view.size_bytes);
    }
    outputs[io.outputs[i].name] = std::move(copy);
  }
  return outputs;
}

Tensor float_tensor(Shape shape, const std::vector<float>& values) {
  auto tensor = Tensor::allocate(DataType::kFloat32, std::move(shape));
  EXPECT_TRUE(tensor.has_value());
  if (!values.empty()) std::memcpy(tensor->mutable_data(), values.data(), values.size() * sizeof(float));
  return *tensor;
}

}  // namespace axle::testing
