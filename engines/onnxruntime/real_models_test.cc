// Real models against the outputs recorded with them, from the file and from the artefact. Needs AXLE_SHARED_MODELS.
#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

const std::vector<RealModel> kRealModels = real_models({
    {"efficientnet_lite0_int8", "efficientnet-lite0/model.qdq.onnx", "efficientnet-lite0/input.npz",
     "efficientnet-lite0/expected.qdq.npz", 1e-3, "int8"},
    {"f64_island", "partition/f64_island.onnx", "partition/f64_island.io.npz", "partition/f64_island.io.npz", 1e-5},
    {"island_scaler_ml", "partition/island_scaler_ml.onnx", "partition/island_scaler_ml.io.npz",
     "partition/island_scaler_ml.io.npz", 1e-5},
    {"nonzero_dynamic_island", "partition/nonzero_dynamic_island.onnx", "partition/nonzero_dynamic_island.io.npz",
     "partition/nonzero_dynamic_island.io.npz", 1e-5},
});

class OnnxRuntimeRealModels : public RealModelCase {
 protected:
  OnnxRuntimeRealModels() : RealModelCase("onnxruntime") {}
};

TEST_P(OnnxRuntimeRealModels, GiveTheRecordedOutputsFromFileAndFromArtefact) { expect_recorded_outputs(); }

INSTANTIATE_TEST_SUITE_P(All, OnnxRuntimeRealModels, ::testing::ValuesIn(kRealModels),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace axle::testing
