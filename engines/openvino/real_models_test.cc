// Real models against the outputs recorded with them, from the file and from the artefact. Needs AXLE_SHARED_MODELS.
#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

const std::vector<RealModel> kRealModels = real_models({
    {"ultraface_ir", "ultraface-rfb-320-ir/model.xml", "ultraface-rfb-320-ir/input.npz", "ultraface-rfb-320-ir/expected.npz",
     5e-3},
});

class OpenVinoRealModels : public RealModelCase {
 protected:
  OpenVinoRealModels() : RealModelCase("openvino") {}
};

TEST_P(OpenVinoRealModels, GiveTheRecordedOutputsFromFileAndFromArtefact) { expect_recorded_outputs(); }

INSTANTIATE_TEST_SUITE_P(All, OpenVinoRealModels, ::testing::ValuesIn(kRealModels),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace axle::testing
