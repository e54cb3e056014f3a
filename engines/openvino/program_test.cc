// The plugin's artefacts through the C ABI: reloaded with all that they need to know, refused when damaged.
#include <fstream>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

class OpenVinoProgram : public EngineCase {
 protected:
  OpenVinoProgram() : EngineCase("openvino") {}
};

TEST_F(OpenVinoProgram, ReloadsItsArtefactWithItsNamesPrecisionAndThreads) {
  const auto warm = load_artefact(request(graph_of_text(kMlp)));
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->effective().precision, "f32");
  EXPECT_EQ(warm->effective().threads, 1);
  EXPECT_EQ(warm->io().inputs[0].name, "x");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*warm, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_EQ(outputs.at("y").as<float>()[0], 16.5f);
}

TEST_F(OpenVinoProgram, RefusesADamagedArtefact) {
  EngineLoadRequest warm = request(nullptr);
  warm.blobs = {{"model.blob", {}, scratch_.path() + "/absent"}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "missing"));
  std::ofstream(scratch_.path() + "/text") << "this is no artefact at all";
  warm.blobs = {{"model.blob", {}, scratch_.path() + "/text"}, {"io.bin", {}, scratch_.path() + "/text"}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "io.bin"));
  warm.blobs[1].name = "surprise.bin";
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "surprise.bin"));
}

}  // namespace
}  // namespace axle::testing
