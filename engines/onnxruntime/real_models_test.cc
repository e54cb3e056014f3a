// Real models against the outputs recorded with them, from the file and from the artefact. Needs AXLE_SHARED_MODELS.
#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

const RealModel kRealModels[] = {
    {"breast_cancer_mlp", "breast-cancer-mlp/model.onnx", "breast-cancer-mlp/input.npz", "breast-cancer-mlp/expected.npz",
     1e-4},
    {"efficientnet_lite0", "efficientnet-lite0/model.onnx", "efficientnet-lite0/input.npz", "efficientnet-lite0/expected.npz",
     1e-4},
    {"efficientnet_lite0_int8", "efficientnet-lite0/model.qdq.onnx", "efficientnet-lite0/input.npz",
     "efficientnet-lite0/expected.qdq.npz", 1e-3, "int8"},
    {"ultraface", "ultraface-rfb-320/model.onnx", "ultraface-rfb-320/input.npz", "ultraface-rfb-320/expected.npz", 1e-4},
    {"minilm", "all-minilm-l6-v2/model.onnx", "all-minilm-l6-v2/input.npz", "all-minilm-l6-v2/expected.npz", 1e-4},
    {"magika", "magika/model.onnx", "magika/input.npz", "magika/expected.npz", 1e-4},
    {"basic_pitch", "basic-pitch/model.onnx", "basic-pitch/input.npz", "basic-pitch/expected.npz", 1e-4},
    {"ncf_recommender", "ncf-recommender/model.onnx", "ncf-recommender/input.npz", "ncf-recommender/expected.npz", 1e-4},
    {"f64_island", "partition/f64_island.onnx", "partition/f64_island.io.npz", "partition/f64_island.io.npz", 1e-5},
    {"island_scaler_ml", "partition/island_scaler_ml.onnx", "partition/island_scaler_ml.io.npz",
     "partition/island_scaler_ml.io.npz", 1e-5},
    {"nonzero_dynamic_island", "partition/nonzero_dynamic_island.onnx", "partition/nonzero_dynamic_island.io.npz",
     "partition/nonzero_dynamic_island.io.npz", 1e-5},
    {"scalar_io", "partition/scalar_io.onnx", "partition/scalar_io.io.npz", "partition/scalar_io.io.npz", 1e-5},
    {"zero_batch", "partition/zero_batch.onnx", "partition/zero_batch.io.npz", "partition/zero_batch.io.npz", 1e-5},
};

class OnnxRuntimeRealModels : public RealModelCase {
 protected:
  OnnxRuntimeRealModels() : RealModelCase("onnxruntime") {}
};

TEST_P(OnnxRuntimeRealModels, GiveTheRecordedOutputsFromFileAndFromArtefact) { expect_recorded_outputs(); }

INSTANTIATE_TEST_SUITE_P(All, OnnxRuntimeRealModels, ::testing::ValuesIn(kRealModels),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace axle::testing
