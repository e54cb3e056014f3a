// Real models against the outputs recorded with them, from the file and from the artefact. Needs AXLE_SHARED_MODELS.
#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

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

class OpenVinoRealModels : public RealModelCase {
 protected:
  OpenVinoRealModels() : RealModelCase("openvino") {}
};

TEST_P(OpenVinoRealModels, GiveTheRecordedOutputsFromFileAndFromArtefact) { expect_recorded_outputs(); }

INSTANTIATE_TEST_SUITE_P(All, OpenVinoRealModels, ::testing::ValuesIn(kRealModels),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace axle::testing
