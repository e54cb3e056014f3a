// The plugin's artefacts through the C ABI: reloaded without the model, refused when they are not what they should be.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/testing/engine_case.h"
#include "qnn_models.h"

namespace axle::testing {
namespace {

using ::testing::HasSubstr;

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class QnnArtefact : public EngineCase {
 protected:
  QnnArtefact() : EngineCase("qnn", "npu:0") {}

  // What compile wrote, by the names of its blobs.
  EngineLoadRequest compiled(const EngineLoadRequest& asked) {
    EngineRequest compile = asked;
    compile.scratch_folder = folder();
    std::filesystem::remove_all(folder());
    std::filesystem::create_directory(folder());
    const auto manifest = engine_->compile(compile, 1);
    EXPECT_THAT(manifest, IsOk());
    EngineLoadRequest warm = asked;
    warm.graph = nullptr;
    if (!manifest.has_value()) return warm;
    manifest_ = *manifest;
    for (const ManifestBlob& blob : manifest->blobs) warm.blobs.push_back({blob.name, {}, folder() + "/" + blob.path});
    return warm;
  }
  std::string folder() const { return scratch_.path() + "/artefact"; }
  std::string file(const char* name) const { return folder() + "/" + name; }

  ArtefactManifest manifest_;
};

TEST_F(QnnArtefact, ReloadsItsArtefactWithoutTheModel) {
  EngineLoadRequest asked = request(graph_of_text(kQuantised));
  asked.precision = "int8";
  const EngineLoadRequest warm = compiled(asked);
  EXPECT_TRUE(manifest_.self_contained);
  EXPECT_EQ(manifest_.compatibility.at("htp_arch"), "75");
  EXPECT_FALSE(manifest_.compatibility.at("sdk").empty());
  EXPECT_FALSE(std::filesystem::exists(file("graphs")));
  const auto executable = load(warm);
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "int8");
  EXPECT_TRUE(executable->effective().precision_read_back);
  EXPECT_EQ(executable->io().inputs[0].name, "x");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_NEAR(outputs.at("y").as<float>()[0], 3.2f, 0.101f);
}

// From a cache the files may come as bytes, and lie under other names.
TEST_F(QnnArtefact, LoadsFromBytesAlone) {
  EngineLoadRequest warm = compiled(request(graph_of_text(kFixedMlp)));
  std::vector<std::string> contents;
  for (const auto& blob : warm.blobs) contents.push_back(read_all(std::string(blob.path)));
  for (size_t i = 0; i < contents.size(); ++i) {
    warm.blobs[i].data = contents[i];
    warm.blobs[i].path = {};
  }
  std::filesystem::remove_all(folder());
  const auto executable = load(warm);
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_NEAR(outputs.at("y").as<float>()[1], 19.5f, 1e-5f);
}

TEST_F(QnnArtefact, OfAnotherArchitectureIsRefused) {
  EngineLoadRequest warm = compiled(request(graph_of_text(kFixedMlp), {{"htp_arch", "68"}}));
  warm.options["htp_arch"] = "75";
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kFailedPrecondition, "v68"));
}

TEST_F(QnnArtefact, OfANewerSdkIsRefusedAndOfAnOlderTaken) {
  const EngineLoadRequest warm = compiled(request(graph_of_text(kFixedMlp)));
  const std::string backend = manifest_.compatibility.at("backend");
  const std::string content = read_all(file("model.onnx"));
  const size_t record = content.find(":" + backend + ":");
  ASSERT_NE(record, std::string::npos);
  for (const char major : {'9', '1'}) {  // another record of the same length
    std::string changed = content;
    changed[record + 1] = major;
    std::ofstream(file("model.onnx"), std::ios::binary) << changed;
    const auto loaded = engine_->load(warm);
    if (major == '9')
      EXPECT_THAT(loaded, StatusIs(StatusCode::kFailedPrecondition, "newer than backend " + backend));
    else
      EXPECT_THAT(loaded, IsOk());
  }
}

TEST_F(QnnArtefact, ThatIsDamagedIsRefused) {
  const EngineLoadRequest warm = compiled(request(graph_of_text(kFixedMlp)));
  EngineLoadRequest fewer = warm;
  fewer.blobs.pop_back();
  EXPECT_THAT(engine_->load(fewer), StatusIs(StatusCode::kDataLoss, "missing"));
  const std::string content = read_all(file("model_qnn.bin"));
  std::ofstream(file("model_qnn.bin"), std::ios::binary) << content.substr(0, content.size() / 2);
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "cannot open the compiled graph"));
  std::filesystem::remove(file("model_qnn.bin"));
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss));
  std::ofstream(file("model.onnx"), std::ios::binary) << "this is no model at all";
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "damaged"));
}

}  // namespace
}  // namespace axle::testing
