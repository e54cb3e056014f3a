// Real models against the outputs recorded with them, from the file and from the artefact. Needs AXLE_SHARED_MODELS.
#include <cmath>

#include "testing/engine_case.h"

namespace axle::testing {
namespace {

struct RealModel {
  const char* name;
  const char* model;
  const char* inputs;    // npz by input name, or "in:" + name
  const char* expected;  // npz by output name, or "out:" + name
  const char* precision;
  double tolerance;      // largest absolute error
  int64_t rows;          // 0 = all
};

std::ostream& operator<<(std::ostream& out, const RealModel& model) { return out << model.name; }

const RealModel kRealModels[] = {
    {"breast_cancer_mlp", "breast-cancer-mlp/model.onnx", "breast-cancer-mlp/input.npz", "breast-cancer-mlp/expected.npz",
     "f32", 1e-4, 0},
    {"efficientnet_lite0", "efficientnet-lite0/model.onnx", "efficientnet-lite0/input.npz", "efficientnet-lite0/expected.npz",
     "f32", 1e-4, 0},
    {"efficientnet_lite0_int8", "efficientnet-lite0/model.qdq.onnx", "efficientnet-lite0/input.npz",
     "efficientnet-lite0/expected.qdq.npz", "int8", 1e-3, 0},
    {"ultraface", "ultraface-rfb-320/model.onnx", "ultraface-rfb-320/input.npz", "ultraface-rfb-320/expected.npz", "f32", 1e-4,
     0},
    {"minilm", "all-minilm-l6-v2/model.onnx", "all-minilm-l6-v2/input.npz", "all-minilm-l6-v2/expected.npz", "f32", 1e-4, 0},
    {"magika", "magika/model.onnx", "magika/input.npz", "magika/expected.npz", "f32", 1e-4, 0},
    {"basic_pitch", "basic-pitch/model.onnx", "basic-pitch/input.npz", "basic-pitch/expected.npz", "f32", 1e-4, 0},
    {"ncf_recommender", "ncf-recommender/model.onnx", "ncf-recommender/input.npz", "ncf-recommender/expected.npz", "f32", 1e-4,
     0},
    {"f64_island", "partition/f64_island.onnx", "partition/f64_island.io.npz", "partition/f64_island.io.npz", "f32", 1e-5, 0},
    {"island_scaler_ml", "partition/island_scaler_ml.onnx", "partition/island_scaler_ml.io.npz",
     "partition/island_scaler_ml.io.npz", "f32", 1e-5, 0},
    {"nonzero_dynamic_island", "partition/nonzero_dynamic_island.onnx", "partition/nonzero_dynamic_island.io.npz",
     "partition/nonzero_dynamic_island.io.npz", "f32", 1e-5, 0},
    {"scalar_io", "partition/scalar_io.onnx", "partition/scalar_io.io.npz", "partition/scalar_io.io.npz", "f32", 1e-5, 0},
    {"zero_batch", "partition/zero_batch.onnx", "partition/zero_batch.io.npz", "partition/zero_batch.io.npz", "f32", 1e-5, 0},
};

class RealModels : public OnnxRuntimeEngine, public ::testing::WithParamInterface<RealModel> {
 protected:
  void SetUp() override {
    models_ = shared_models();
    if (models_.empty()) GTEST_SKIP() << "set AXLE_SHARED_MODELS to the folder of real models";
    OnnxRuntimeEngine::SetUp();
  }

  std::map<std::string, Tensor> tensors(const char* file, const std::string& prefix) const {
    std::map<std::string, Tensor> found;
    auto read = load_npz(models_ + "/" + file);
    EXPECT_THAT(read, IsOk());
    if (!read.has_value()) return found;
    for (NamedTensor& named : *read) {
      const bool prefixed = named.name.starts_with(prefix);
      found[prefixed ? named.name.substr(prefix.size()) : named.name] = std::move(named.tensor);
    }
    return found;
  }

  void expect_outputs(const Executable& executable) const {
    auto outputs = run_once(executable, tensors(GetParam().inputs, "in:"));
    ASSERT_THAT(outputs, IsOk());
    size_t compared = 0;
    for (const auto& [name, expected] : tensors(GetParam().expected, "out:")) {
      const auto found = outputs->find(name);
      if (found == outputs->end()) continue;
      ++compared;
      ASSERT_EQ(found->second.shape(), expected.shape()) << name;
      double worst = 0;
      for (int64_t i = 0; i < expected.element_count(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(found->second.as<float>()[static_cast<size_t>(i)]) -
                                         expected.as<float>()[static_cast<size_t>(i)]));
      }
      EXPECT_LE(worst, GetParam().tolerance) << name;
    }
    EXPECT_GT(compared, 0u);
  }

  std::string models_;
};

TEST_P(RealModels, GiveTheRecordedOutputsFromFileAndFromArtefact) {
  auto graph = graph_from_file(models_ + "/" + GetParam().model);
  ASSERT_THAT(graph, IsOk());
  EngineLoadRequest asked = request(*graph);
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
  expect_outputs(*warm);
}

INSTANTIATE_TEST_SUITE_P(All, RealModels, ::testing::ValuesIn(kRealModels),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace axle::testing
