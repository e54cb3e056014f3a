#include "engine/testing/engine_case.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <onnx/defs/parser.h>

#include "model/model_graph.h"
#include "model/testing/shared_models.h"

namespace axle::testing {

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "axle-engine-test-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<std::shared_ptr<EngineRegistry>> registry_of(const std::string& engine, const std::string& library) {
  EngineRegistryOptions options;
  options.plugin_folders = {AXLE_BINARY_DIR "/lib/axle/engines"};
  options.default_folders = false;
  options.only = {engine};
  if (!library.empty()) options.libraries[engine] = library;
  return EngineRegistry::create(options);
}

namespace {

Result<std::shared_ptr<const GraphIndex>> graph_from_text(const std::string& text) {
  onnx::ModelProto model;
  const auto parsed = onnx::OnnxParser::Parse(model, text.c_str());
  if (!parsed.IsOK()) return invalid_argument_error(parsed.ErrorMessage());
  const std::string bytes = model.SerializeAsString();
  AXLE_ASSIGN_OR_RETURN(const Model read, Model::from_bytes(std::as_bytes(std::span(bytes))));
  AXLE_ASSIGN_OR_RETURN(auto graph, graph_of(read));
  return GraphIndex::create(std::move(graph));
}

// By name without the prefix.
std::map<std::string, Tensor> tensors_of(const std::string& path, const std::string& prefix) {
  std::map<std::string, Tensor> found;
  auto read = load_npz(path);
  EXPECT_THAT(read, IsOk());
  if (!read.has_value()) return found;
  for (NamedTensor& named : *read) {
    const bool prefixed = named.name.starts_with(prefix);
    found[prefixed ? named.name.substr(prefix.size()) : named.name] = std::move(named.tensor);
  }
  return found;
}

void expect_near(const std::string& name, const Tensor& got, const Tensor& expected, double tolerance) {
  ASSERT_EQ(got.shape(), expected.shape()) << name;
  ASSERT_EQ(got.dtype(), expected.dtype()) << name;
  if (expected.dtype() != DataType::kFloat32) {
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), expected.size_bytes()), 0) << name;
    return;
  }
  double worst = 0;
  for (size_t i = 0; i < static_cast<size_t>(expected.element_count()); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(got.as<float>()[i]) - expected.as<float>()[i]));
  EXPECT_LE(worst, tolerance) << name;
}

}  // namespace

std::shared_ptr<const GraphIndex> graph_of_text(const std::string& text) {
  auto made = graph_from_text(text);
  EXPECT_THAT(made, IsOk());
  return made.has_value() ? *made : nullptr;
}

Result<std::shared_ptr<const GraphIndex>> graph_from_file(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const Model model, Model::load(path));
  AXLE_ASSIGN_OR_RETURN(auto graph, graph_of(model));
  return GraphIndex::create(std::move(graph));
}

void EngineCase::SetUp() {
  auto registry = registry_of(name_);
  ASSERT_THAT(registry, IsOk());
  auto engine = (*registry)->open(name_);
  if (engine.status().code() == StatusCode::kUnavailable) GTEST_SKIP() << engine.status().to_string();
  ASSERT_THAT(engine, IsOk());
  engine_ = *engine;
}

EngineLoadRequest EngineCase::request(std::shared_ptr<const GraphIndex> graph,
                                      std::map<std::string, std::string> overrides) const {
  EngineLoadRequest request;
  request.graph = std::move(graph);
  request.resource = resource_;
  const auto capability = engine_->capability(resource_);
  EXPECT_THAT(capability, IsOk());
  const auto options = resolve_options(*capability, "default", overrides);
  EXPECT_THAT(options, IsOk());
  if (options.has_value()) request.options = *options;
  return request;
}

std::shared_ptr<const Executable> EngineCase::load(const EngineLoadRequest& request) const {
  auto loaded = engine_->load(request);
  EXPECT_THAT(loaded, IsOk());
  return loaded.has_value() ? *loaded : nullptr;
}

void EngineCase::expect_contexts_at_once(int repeats) const {
  const auto executable = load(request(graph_of_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&executable, caller, repeats] {
      auto context = executable->make_context();
      ASSERT_THAT(context, IsOk());
      const Tensor x = float_tensor({1, 4}, {static_cast<float>(caller), 0, 0, 0});
      Tensor y = float_tensor({1, 2}, {0, 0});
      ASSERT_THAT(context->bind_input(0, x), IsOk());
      ASSERT_THAT(context->bind_output(0, y), IsOk());
      for (int repeat = 0; repeat < repeats; ++repeat) {
        ASSERT_THAT(context->run(), IsOk());
        ASSERT_EQ(y.as<float>()[0], static_cast<float>(caller) + 0.5f);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

void EngineCase::expect_cancel_stops(Context& context) {
  CancelToken cancel;
  std::atomic<bool> returned{false};
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(returned.load());  // else the run was too short to show anything
    cancel.cancel();
  });
  EXPECT_THAT(context.run(cancel), StatusIs(StatusCode::kCancelled));
  returned = true;
  canceller.join();
}

std::shared_ptr<const Executable> EngineCase::load_artefact(const EngineLoadRequest& request) {
  EngineRequest compile = request;
  compile.scratch_folder = scratch_.path() + "/artefact";
  std::filesystem::remove_all(compile.scratch_folder);
  std::filesystem::create_directory(compile.scratch_folder);
  const auto manifest = engine_->compile(compile, request.threads);
  EXPECT_THAT(manifest, IsOk());
  if (!manifest.has_value()) return nullptr;
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

std::vector<RealModel> real_models(std::initializer_list<RealModel> own) {
  std::vector<RealModel> models = {
      {"breast_cancer_mlp", "breast-cancer-mlp/model.onnx", "breast-cancer-mlp/input.npz", "breast-cancer-mlp/expected.npz",
       1e-4},
      {"efficientnet_lite0", "efficientnet-lite0/model.onnx", "efficientnet-lite0/input.npz", "efficientnet-lite0/expected.npz",
       1e-4},
      {"ultraface", "ultraface-rfb-320/model.onnx", "ultraface-rfb-320/input.npz", "ultraface-rfb-320/expected.npz", 1e-4},
      {"minilm", "all-minilm-l6-v2/model.onnx", "all-minilm-l6-v2/input.npz", "all-minilm-l6-v2/expected.npz", 1e-4},
      {"magika", "magika/model.onnx", "magika/input.npz", "magika/expected.npz", 1e-4},
      {"basic_pitch", "basic-pitch/model.onnx", "basic-pitch/input.npz", "basic-pitch/expected.npz", 1e-4},
      {"ncf_recommender", "ncf-recommender/model.onnx", "ncf-recommender/input.npz", "ncf-recommender/expected.npz", 1e-4},
      {"scalar_io", "partition/scalar_io.onnx", "partition/scalar_io.io.npz", "partition/scalar_io.io.npz", 1e-5},
      {"zero_batch", "partition/zero_batch.onnx", "partition/zero_batch.io.npz", "partition/zero_batch.io.npz", 1e-5},
  };
  models.insert(models.end(), own);
  return models;
}

std::ostream& operator<<(std::ostream& out, const RealModel& model) { return out << model.name; }

void RealModelCase::SetUp() {
  const std::string path = shared_model(GetParam().model);
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no model at " << path << "; set AXLE_SHARED_MODELS";
  EngineCase::SetUp();
}

void RealModelCase::expect_outputs(const Executable& executable) const {
  const auto outputs = run_once(executable, tensors_of(shared_model(GetParam().inputs), "in:"));
  ASSERT_THAT(outputs, IsOk());
  size_t compared = 0;
  for (const auto& [name, expected] : tensors_of(shared_model(GetParam().expected), "out:")) {
    const auto found = outputs->find(name);
    if (found == outputs->end()) continue;  // one file holds inputs and outputs
    ++compared;
    expect_near(name, found->second, expected, GetParam().tolerance);
  }
  EXPECT_EQ(compared, outputs->size());
}

void RealModelCase::expect_recorded_outputs() {
  AXLE_ASSERT_OK_AND_ASSIGN(auto graph, graph_from_file(shared_model(GetParam().model)));
  EngineLoadRequest asked = request(std::move(graph));
  asked.precision = GetParam().precision;
  asked.threads = 2;
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kYes) << verdict.graph.text;
  const auto cold = load(asked);
  ASSERT_NE(cold, nullptr);
  EXPECT_EQ(cold->effective().precision, GetParam().precision);
  EXPECT_TRUE(cold->effective().precision_read_back);
  expect_outputs(*cold);
  const auto warm = load_artefact(asked);
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->effective().precision, GetParam().precision);
  expect_outputs(*warm);
}

}  // namespace axle::testing
