// The plugin through the C ABI, driven by the host's own classes: small models written as text, real models when present.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <onnx/defs/parser.h>

#include "axle/model.h"
#include "axle/tensor.h"
#include "base/testing/status_matchers.h"
#include "engine/engine.h"
#include "model/model_graph.h"

namespace axle::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMlp = R"(<ir_version: 8, opset_import: ["": 17]>
  mlp (float[n, 4] x) => (float[n, 2] y)
  <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {0.5, -0.5}>
  { h = MatMul(x, w)  y = Add(h, b) })";

constexpr const char* kNonZero = R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[n] x) => (int64[1, m] y) { y = NonZero(x) })";

// Many seconds if nobody stops it.
std::string long_chain() {
  std::string text =
      R"(<ir_version: 8, opset_import: ["": 17]> g (float[1500, 1500] x) => (float[1500, 1500] y) { a0 = Identity(x) )";
  for (int i = 0; i < 100; ++i) {
    text += "p" + std::to_string(i) + " = MatMul(a" + std::to_string(i) + ", x) a" + std::to_string(i + 1) + " = Tanh(p" +
            std::to_string(i) + ") ";
  }
  return text + "y = Identity(a100) }";
}

Result<std::shared_ptr<EngineRegistry>> registry(const std::string& library = "") {
  EngineRegistryOptions options;
  options.plugin_folders = {AXLE_BINARY_DIR "/lib/axle/engines"};
  options.default_folders = false;
  options.only = {"openvino"};
  if (!library.empty()) options.libraries["openvino"] = library;
  return EngineRegistry::create(options);
}

Result<std::shared_ptr<const GraphIndex>> index_of(const Model& model) {
  AXLE_ASSIGN_OR_RETURN(auto graph, graph_of(model));
  return GraphIndex::create(std::move(graph));
}

std::shared_ptr<const GraphIndex> from_text(const std::string& text) {
  onnx::ModelProto proto;
  const auto parsed = onnx::OnnxParser::Parse(proto, text.c_str());
  EXPECT_TRUE(parsed.IsOK()) << parsed.ErrorMessage();
  const std::string bytes = proto.SerializeAsString();
  const auto model = Model::from_bytes(std::as_bytes(std::span(bytes)));
  EXPECT_THAT(model, IsOk());
  if (!model.has_value()) return nullptr;
  const auto graph = index_of(*model);
  EXPECT_THAT(graph, IsOk());
  return graph.has_value() ? *graph : nullptr;
}

Tensor float_tensor(Shape shape, const std::vector<float>& values) {
  auto tensor = Tensor::allocate(DataType::kFloat32, std::move(shape));
  EXPECT_TRUE(tensor.has_value());
  if (!values.empty()) std::memcpy(tensor->mutable_data(), values.data(), values.size() * sizeof(float));
  return *tensor;
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
    if (view.size_bytes > 0) std::memcpy(copy.mutable_data(), view.data, view.size_bytes);
    outputs[io.outputs[i].name] = std::move(copy);
  }
  return outputs;
}

class OpenVino : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto plugins = registry();
    ASSERT_THAT(plugins, IsOk());
    const auto engine = (*plugins)->open("openvino");
    if (engine.status().code() == StatusCode::kUnavailable) GTEST_SKIP() << engine.status().to_string();
    ASSERT_THAT(engine, IsOk());
    engine_ = *engine;
    std::string name = (fs::temp_directory_path() / "axle-openvino-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    scratch_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
  }

  EngineLoadRequest request(std::shared_ptr<const GraphIndex> graph,
                            const std::map<std::string, std::string>& overrides = {}) const {
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
  std::shared_ptr<const Executable> load(const EngineLoadRequest& request) const {
    auto loaded = engine_->load(request);
    EXPECT_THAT(loaded, IsOk());
    return loaded.has_value() ? *loaded : nullptr;
  }
  std::shared_ptr<const Executable> load_artefact(const EngineLoadRequest& request) const {
    EngineRequest compile = request;
    compile.scratch_folder = scratch_ + "/artefact";
    fs::remove_all(compile.scratch_folder);
    fs::create_directory(compile.scratch_folder);
    const auto manifest = engine_->compile(compile, request.threads);
    EXPECT_THAT(manifest, IsOk());
    if (!manifest.has_value()) return nullptr;
    EngineLoadRequest warm = request;
    warm.graph = nullptr;
    for (const ManifestBlob& blob : manifest->blobs)
      warm.blobs.push_back({blob.name, {}, compile.scratch_folder + "/" + blob.path});
    return load(warm);
  }

  std::shared_ptr<Engine> engine_;
  std::string scratch_;
};

TEST_F(OpenVino, SaysWhichLibraryItOpenedAndThatItCannotKeepCpuSets) {
  ASSERT_TRUE(engine_->info().library.has_value());
  EXPECT_TRUE(fs::exists(engine_->info().library->path));
  EXPECT_EQ(engine_->info().library->version.substr(0, 2), "20");
  EXPECT_FALSE(engine_->info().honours_cpu_set);
}

TEST_F(OpenVino, OffersTheCpuWithDeclaredOptions) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("cpu:0"));
  EXPECT_THAT(capability.formats, ::testing::IsSupersetOf({"onnx", "openvino-ir"}));
  for (const Preset& preset : capability.presets)
    EXPECT_THAT(resolve_options(capability, preset.name, {}), IsOk()) << preset.name;
  EXPECT_THAT(engine_->capability("AUTO"), StatusIs(StatusCode::kNotFound));
}

TEST_F(OpenVino, RunsChangingShapesIntoItsOwnAndTheCallersMemory) {
  const auto executable = load(request(from_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "f32");
  EXPECT_TRUE(executable->effective().precision_read_back);
  EXPECT_EQ(executable->effective().threads, 1);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (const int64_t rows : {1, 3, 0, 2}) {
    const Tensor x = float_tensor({rows, 4}, std::vector<float>(static_cast<size_t>(rows) * 4, 1.0f));
    Tensor y = float_tensor({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 0.0f));
    ASSERT_THAT(context.bind_input(0, x), IsOk());
    ASSERT_THAT(context.bind_output(0, y), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    for (int64_t row = 0; row < rows; ++row) EXPECT_EQ(y.as<float>()[static_cast<size_t>(row) * 2], 16.5f);
    ASSERT_THAT(context.unbind_output(0), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView own, context.output(0));
    EXPECT_EQ(own.shape[0], rows);
    EXPECT_NE(own.data, y.data());
    if (rows > 0) {
      EXPECT_EQ(static_cast<const float*>(own.data)[1], 19.5f);
    }
  }
}

TEST_F(OpenVino, FillsALargerOutputAndSaysWhatATooSmallOneNeeds) {
  const auto executable = load(request(from_text(kNonZero)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor large, Tensor::allocate(DataType::kInt64, {1, 4}));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor small, Tensor::allocate(DataType::kInt64, {1, 1}));
  const Tensor x = float_tensor({4}, {1, 0, 0, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, large), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView view, context.output(0));
  EXPECT_EQ(Shape(view.shape.begin(), view.shape.end()), (Shape{1, 2}));
  EXPECT_EQ(large.as<int64_t>()[1], 3);
  ASSERT_THAT(context.bind_output(0, small), IsOk());
  EXPECT_THAT(context.run(), StatusIs(StatusCode::kOutOfRange, "needs 16 bytes"));
  ASSERT_THAT(context.bind_output(0, large), IsOk());
  EXPECT_THAT(context.run(), IsOk());
}

TEST_F(OpenVino, RefusesTensorsThatDoNotFit) {
  const auto executable = load(request(from_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_THAT(context.run(), StatusIs(StatusCode::kFailedPrecondition, "'x'"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor integers, Tensor::allocate(DataType::kInt32, {1, 4}));
  EXPECT_THAT(context.bind_input(0, integers), StatusIs(StatusCode::kInvalidArgument, "i32"));
  EXPECT_THAT(context.bind_input(0, float_tensor({1, 5}, {1, 1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument, "axis 1"));
  EXPECT_THAT(context.output(0), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(OpenVino, CarriesNarrowTypes) {
  for (const auto& [name, dtype] : {std::pair("float16", DataType::kFloat16), std::pair("bfloat16", DataType::kBfloat16),
                                    std::pair("int64", DataType::kInt64), std::pair("int32", DataType::kInt32),
                                    std::pair("uint8", DataType::kUint8), std::pair("bool", DataType::kBool)}) {
    const auto executable =
        load(request(from_text(std::string(R"(<ir_version: 9, opset_import: ["": 19]> g ()") + name + "[2, 2] x) => (" + name +
                               "[2, 2] y) { y = Transpose <perm = [1, 0]> (x) }")));
    ASSERT_NE(executable, nullptr) << name;
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate(dtype, {2, 2}));
    const size_t size = x.size_bytes() / 4;
    std::memset(x.mutable_data(), 0, x.size_bytes());
    static_cast<unsigned char*>(x.mutable_data())[size] = 1;  // element (0, 1)
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", x}}));
    const auto* y = static_cast<const unsigned char*>(outputs.at("y").data());
    EXPECT_EQ(y[size], 0) << name;
    if (dtype != DataType::kFloat16 && dtype != DataType::kBfloat16) {
      EXPECT_EQ(y[2 * size], 1) << name;
    }
  }
}

TEST_F(OpenVino, NamesTheNodeItCannotRun) {
  const auto graph = from_text(R"(<ir_version: 8, opset_import: ["": 17, "vendor.test": 1]>
      g (float[n] x) => (float[n] y) { a = Relu(x)  b = vendor.test.Gizmo(a)  y = Neg(b) })");
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(graph)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kUnknown);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kNo) << verdict.graph.text;
  EXPECT_THAT(verdict.of_node(1).text, ::testing::HasSubstr("Gizmo"));
}

TEST_F(OpenVino, PromisesNothingBelowF32BeforeItIsLoaded) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("cpu:0"));
  EngineLoadRequest asked = request(from_text(kMlp));
  asked.precision = "bf16";
  if (std::none_of(capability.precisions.begin(), capability.precisions.end(),
                   [](const auto& p) { return p.name == "bf16"; })) {
    GTEST_SKIP() << "this CPU has no bf16";
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kUnknown);
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  EXPECT_TRUE(executable->effective().precision_read_back);
  EXPECT_FALSE(executable->effective().kernels.empty());
  asked.precision = "int8";
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict integers, engine_->support(asked));
  EXPECT_EQ(integers.graph.code, "PRECISION");
}

TEST_F(OpenVino, RefusesOptionsItDoesNotHave) {
  EngineLoadRequest unknown = request(from_text(kMlp));
  unknown.options["no_such_option"] = "1";
  EXPECT_THAT(engine_->load(unknown), StatusIs(StatusCode::kInvalidArgument, "no_such_option"));
}

double process_seconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

TEST_F(OpenVino, ComputesOnTheCallingThreadAloneWithOneThread) {
  EngineLoadRequest asked = request(from_text(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[700, 700] x) => (float[700, 700] y) { a = MatMul(x, x)  b = MatMul(a, x)  y = MatMul(b, x) })"));
  asked.cpu_set = {0};
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  ASSERT_THAT(context.bind_input(0, float_tensor({700, 700}, std::vector<float>(700 * 700, 0.001f))), IsOk());
  const double all = process_seconds(RUSAGE_SELF), mine = process_seconds(RUSAGE_THREAD);
  for (int i = 0; i < 10; ++i) ASSERT_THAT(context.run(), IsOk());
  const double others = (process_seconds(RUSAGE_SELF) - all) - (process_seconds(RUSAGE_THREAD) - mine);
  EXPECT_LT(others, 0.2 * (process_seconds(RUSAGE_THREAD) - mine));
  asked.threads = 2;
  const auto wider = load(asked);
  ASSERT_NE(wider, nullptr);
  EXPECT_FALSE(wider->effective().cpu_set_honoured) << "this process is not confined to one CPU";
}

TEST_F(OpenVino, StopsALongRunAndRunsAgain) {
  const auto executable = load(request(from_text(long_chain())));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  ASSERT_THAT(context.bind_input(0, float_tensor({1500, 1500}, std::vector<float>(1500 * 1500, 0.001f))), IsOk());
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

TEST_F(OpenVino, ServesSeveralContextsAtOnce) {
  const auto executable = load(request(from_text(kMlp)));
  ASSERT_NE(executable, nullptr);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&executable, caller] {
      auto context = executable->make_context();
      ASSERT_THAT(context, IsOk());
      const Tensor x = float_tensor({1, 4}, {static_cast<float>(caller), 0, 0, 0});
      Tensor y = float_tensor({1, 2}, {0, 0});
      ASSERT_THAT(context->bind_input(0, x), IsOk());
      ASSERT_THAT(context->bind_output(0, y), IsOk());
      for (int repeat = 0; repeat < 100; ++repeat) {
        ASSERT_THAT(context->run(), IsOk());
        ASSERT_EQ(y.as<float>()[0], static_cast<float>(caller) + 0.5f);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(OpenVino, ReloadsItsArtefactWithItsNamesPrecisionAndThreads) {
  const auto warm = load_artefact(request(from_text(kMlp)));
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->effective().precision, "f32");
  EXPECT_EQ(warm->effective().threads, 1);
  EXPECT_EQ(warm->io().inputs[0].name, "x");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*warm, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_EQ(outputs.at("y").as<float>()[0], 16.5f);
}

TEST_F(OpenVino, RefusesADamagedArtefact) {
  EngineLoadRequest warm = request(nullptr);
  warm.blobs = {{"model.blob", {}, scratch_ + "/absent"}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "missing"));
  std::ofstream(scratch_ + "/text") << "this is no artefact at all";
  warm.blobs = {{"model.blob", {}, scratch_ + "/text"}, {"io.bin", {}, scratch_ + "/text"}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "io.bin"));
  warm.blobs[1].name = "surprise.bin";
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "surprise.bin"));
}

TEST(OpenVinoLibrary, SaysWhatIsWrongWithAnExplicitPath) {
  for (const auto& [path, reason] : {std::pair("/no/such/libopenvino_c.so", "No such file"),
                                     std::pair("/etc/passwd", "invalid ELF header"), std::pair("libm.so.6", "not OpenVINO")}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto plugins, registry(path));
    const auto engine = plugins->open("openvino");
    EXPECT_THAT(engine, StatusIs(StatusCode::kUnavailable, reason)) << path;
    EXPECT_THAT(engine.status().hint(), ::testing::HasSubstr("pip install openvino")) << path;
  }
}

struct RealModel {
  const char* name;
  const char* model;
  const char* inputs;    // npz by input name, or "in:" + name
  const char* expected;  // npz by output name, or "out:" + name
  double tolerance;      // largest absolute error
};

std::ostream& operator<<(std::ostream& out, const RealModel& model) { return out << model.name; }

const RealModel kRealModels[] = {
    {"breast_cancer_mlp", "breast-cancer-mlp/model.onnx", "breast-cancer-mlp/input.npz", "breast-cancer-mlp/expected.npz",
     1e-4},
    {"efficientnet_lite0", "efficientnet-lite0/model.onnx", "efficientnet-lite0/input.npz", "efficientnet-lite0/expected.npz",
     1e-4},
    {"ultraface", "ultraface-rfb-320/model.onnx", "ultraface-rfb-320/input.npz", "ultraface-rfb-320/expected.npz", 1e-4},
    {"ultraface_ir", "ultraface-rfb-320-ir/model.xml", "ultraface-rfb-320-ir/input.npz", "ultraface-rfb-320-ir/expected.npz",
     5e-3},
    {"minilm", "all-minilm-l6-v2/model.onnx", "all-minilm-l6-v2/input.npz", "all-minilm-l6-v2/expected.npz", 1e-4},
    {"magika", "magika/model.onnx", "magika/input.npz", "magika/expected.npz", 1e-4},
    {"basic_pitch", "basic-pitch/model.onnx", "basic-pitch/input.npz", "basic-pitch/expected.npz", 1e-4},
    {"ncf_recommender", "ncf-recommender/model.onnx", "ncf-recommender/input.npz", "ncf-recommender/expected.npz", 1e-4},
    {"scalar_io", "partition/scalar_io.onnx", "partition/scalar_io.io.npz", "partition/scalar_io.io.npz", 1e-5},
    {"zero_batch", "partition/zero_batch.onnx", "partition/zero_batch.io.npz", "partition/zero_batch.io.npz", 1e-5},
};

class OpenVinoRealModels : public OpenVino, public ::testing::WithParamInterface<RealModel> {
 protected:
  void SetUp() override {
    const char* named = std::getenv("AXLE_SHARED_MODELS");
    models_ = named != nullptr ? named : AXLE_SOURCE_DIR "/../shared/models";
    if (!fs::is_directory(models_)) GTEST_SKIP() << "set AXLE_SHARED_MODELS to the folder of real models";
    OpenVino::SetUp();
  }
  std::map<std::string, Tensor> tensors(const char* file, const std::string& prefix) const {
    std::map<std::string, Tensor> found;
    auto read = load_npz(models_ + "/" + file);
    EXPECT_THAT(read, IsOk());
    if (!read.has_value()) return found;
    for (NamedTensor& named : *read) {
      found[named.name.starts_with(prefix) ? named.name.substr(prefix.size()) : named.name] = std::move(named.tensor);
    }
    return found;
  }
  void expect_outputs(const Executable& executable) const {
    const auto outputs = run_once(executable, tensors(GetParam().inputs, "in:"));
    ASSERT_THAT(outputs, IsOk());
    size_t compared = 0;
    for (const auto& [name, expected] : tensors(GetParam().expected, "out:")) {
      const auto found = outputs->find(name);
      if (found == outputs->end() || expected.dtype() != DataType::kFloat32) continue;
      ++compared;
      ASSERT_EQ(found->second.shape(), expected.shape()) << name;
      double worst = 0;
      for (size_t i = 0; i < static_cast<size_t>(expected.element_count()); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(found->second.as<float>()[i]) - expected.as<float>()[i]));
      }
      EXPECT_LE(worst, GetParam().tolerance) << name;
    }
    EXPECT_GT(compared, 0u);
  }
  std::string models_;
};

TEST_P(OpenVinoRealModels, GiveTheRecordedOutputsFromFileAndFromArtefact) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(models_ + "/" + GetParam().model));
  AXLE_ASSERT_OK_AND_ASSIGN(auto graph, index_of(model));
  EngineLoadRequest asked = request(std::move(graph));
  asked.threads = 2;
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kYes) << verdict.graph.text;
  const auto cold = load(asked);
  ASSERT_NE(cold, nullptr);
  EXPECT_EQ(cold->effective().precision, "f32");
  expect_outputs(*cold);
  const auto warm = load_artefact(asked);
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->effective().precision, "f32");
  expect_outputs(*warm);
}

INSTANTIATE_TEST_SUITE_P(All, OpenVinoRealModels, ::testing::ValuesIn(kRealModels),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace axle::testing
