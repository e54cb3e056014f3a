// The plugin's artefacts through the C ABI: reloaded without the model, refused when damaged.
#include <cstring>
#include <fstream>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

class OnnxRuntimeArtefact : public EngineCase {
 protected:
  OnnxRuntimeArtefact() : EngineCase("onnxruntime") {}
};

TEST_F(OnnxRuntimeArtefact, ReloadsItsArtefactWithoutTheModel) {
  const auto warm = load_artefact(request(graph_of_text(kMlp)));
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->io().inputs[0].name, "x");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*warm, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_EQ(outputs.at("y").as<float>()[0], 16.5f);
}

TEST_F(OnnxRuntimeArtefact, RefusesADamagedArtefact) {
  const std::string path = scratch_.path() + "/model.ort";
  EngineLoadRequest warm = request(nullptr);
  warm.blobs = {{"model.ort", {}, path}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "cannot read"));
  std::ofstream(path) << "this is no artefact at all";
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "ORT format"));
  warm.blobs = {{"surprise.bin", {}, path}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "surprise.bin"));
}

TEST_F(OnnxRuntimeArtefact, ReadsArtefactBytesAtAnyAlignment) {
  ASSERT_NE(load_artefact(request(graph_of_text(kMlp))), nullptr);
  std::ifstream file(scratch_.path() + "/artefact/model.ort", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<char> shifted(content.size() + 1);
  std::memcpy(shifted.data() + 1, content.data(), content.size());
  EngineLoadRequest warm = request(nullptr);
  warm.blobs = {{"model.ort", std::string_view(shifted.data() + 1, content.size()), ""}};
  const auto executable = load(warm);
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_EQ(outputs.at("y").as<float>()[1], 19.5f);
}

}  // namespace
}  // namespace axle::testing
