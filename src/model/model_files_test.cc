// Files of other makers, each as small as its format allows, written here byte by byte: what axle finds in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "axle/model.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "model/testing/model_builder.h"

namespace axle {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::kF32;
using ::testing::Pair;
using testing::StatusIs;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

class ModelFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create());
    scratch_.emplace(std::move(scratch));
  }
  // The path of the file that now holds `content`.
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = scratch_->file(name);
    fs::create_directories(fs::path(path).parent_path());
    EXPECT_THAT(write_file_atomic(path, content), IsOk());
    return path;
  }

  std::optional<ScratchDir> scratch_;
};

// ---- safetensors ---------------------------------------------------------------------------------------------------

struct SafetensorsFile {
  std::string content;
  int64_t data_at = 0;
};

// "w": two floats, behind "other": one.
SafetensorsFile weights_file(const std::array<float, 2>& w) {
  const std::string header = R"({"other":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("w":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})";
  SafetensorsFile file;
  put<uint64_t>(file.content, header.size());
  file.content += header;
  file.data_at = static_cast<int64_t>(file.content.size());
  for (const float value : {9.0F, w[0], w[1]}) put(file.content, value);
  return file;
}

TEST_F(ModelFiles, WeightsOfAnOnnxModelMayLieInASafetensorsFile) {
  const SafetensorsFile file = weights_file({1.5F, -2});
  const std::string weights = write("model.safetensors", file.content);
  testing::ModelBuilder builder;
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  builder.node("Add", {"x", "w"}, {"y"}, "add");
  builder.external("w", {2}, "model.safetensors", file.data_at + 4, 8);
  const std::string path = write("model.onnx", builder.serialise());
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path));
  ASSERT_EQ(model.files().size(), 2u);
  EXPECT_EQ(model.files()[1].role, "model.safetensors");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  ASSERT_EQ(graph->weights.size(), 1u);
  EXPECT_EQ(graph->weights[0]->path, fs::canonical(weights).string());
  EXPECT_EQ(graph->weights[0]->file_offset, static_cast<uint64_t>(file.data_at + 4));
  std::array<float, 2> values{};
  ASSERT_EQ(graph->weights[0]->bytes.size(), sizeof(values));
  std::memcpy(values.data(), graph->weights[0]->bytes.data(), sizeof(values));
  EXPECT_THAT(values, ElementsAre(1.5F, -2.0F));
  // Other weights are another model.
  write("model.safetensors", weights_file({1.5F, 3}).content);
  AXLE_ASSERT_OK_AND_ASSIGN(const Model trained, Model::load(path));
  EXPECT_NE(trained.digest(), model.digest());
}

TEST_F(ModelFiles, ASafetensorsFileAloneIsRecognisedByItsContent) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(write("weights.bin", weights_file({1, 2}).content)));
  EXPECT_EQ(model.format(), ModelFormat::kSafetensors);
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_EQ(summary.parameter_count, 3u);
  EXPECT_EQ(summary.weight_bytes, 12u);
}

// ---- Hugging Face --------------------------------------------------------------------------------------------------

TEST_F(ModelFiles, AFolderOfHuggingFaceIsOneModel) {
  write("llama/config.json", R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8})");
  write("llama/model.safetensors", weights_file({1, 2}).content);
  write("llama/notes.md", "not a part of it");
  const std::string folder = scratch_->file("llama");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(folder));
  EXPECT_EQ(model.format(), ModelFormat::kHfFolder);
  EXPECT_EQ(model.name(), "llama");
  EXPECT_EQ(model.files().size(), 2u);
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_EQ(summary.category, "LLM_TRANSFORMER");
  EXPECT_THAT(summary.category_reason, HasSubstr("Llama"));
  EXPECT_EQ(summary.weight_bytes, fs::file_size(folder + "/model.safetensors"));
  write("llama/notes.md", "still not");
  EXPECT_EQ(Model::load(folder)->digest(), model.digest());
  write("llama/model.safetensors", weights_file({1, 3}).content);
  EXPECT_NE(Model::load(folder)->digest(), model.digest());
  fs::remove(folder + "/model.safetensors");
  EXPECT_THAT(Model::load(folder), StatusIs(StatusCode::kInvalidArgument, "holds no model"));
}

// ---- PyTorch -------------------------------------------------------------------------------------------------------

// A zip archive of stored members, each of that many bytes.
std::string zip_of(const std::vector<std::pair<std::string, uint32_t>>& members) {
  std::string out, directory;
  for (const auto& [name, size] : members) {
    const auto at = static_cast<uint32_t>(out.size());
    const auto common = [&, &name = name, &size = size](std::string& to) {
      to.append(14, '\0');  // version, flags, method (stored), time, CRC
      for (int i = 0; i < 2; ++i) put<uint32_t>(to, size);
      put<uint16_t>(to, static_cast<uint16_t>(name.size()));
      put<uint16_t>(to, 0);
    };
    out += "PK\x03\x04";
    common(out);
    out += name + std::string(size, 'd');
    directory += std::string("PK\x01\x02\0\0", 6);
    common(directory);
    directory.append(10, '\0');  // comment, disk, attributes
    put<uint32_t>(directory, at);
    directory += name;
  }
  const auto directory_at = static_cast<uint32_t>(out.size());
  out += directory + std::string("PK\x05\x06", 4) + std::string(4, '\0');
  for (int i = 0; i < 2; ++i) put<uint16_t>(out, static_cast<uint16_t>(members.size()));
  put<uint32_t>(out, static_cast<uint32_t>(directory.size()));
  put<uint32_t>(out, directory_at);
  return out + std::string(2, '\0');
}

TEST_F(ModelFiles, APyTorchArchiveIsToldByItsMembers) {
  const std::string script = write("a.pt", zip_of({{"net/constants.pkl", 4},
                                                   {"net/code/__torch__.py", 20},
                                                   {"net/data/0", 12},
                                                   {"net/constants/0", 8},
                                                   {"net/data.pkl", 6}}));
  AXLE_ASSERT_OK_AND_ASSIGN(const Model torchscript, Model::load(script));
  EXPECT_EQ(torchscript.format(), ModelFormat::kTorchscript);
  EXPECT_EQ(torchscript.name(), "net");
  EXPECT_EQ(torchscript.summary()->weight_bytes, 20u);

  const std::string exported = write("b.pt2", zip_of({{"net/archive_format", 3},
                                                      {"net/models/model.json", 30},
                                                      {"net/data/weights/weight_0", 16},
                                                      {"net/data/sample_inputs/model.pt", 7}}));
  AXLE_ASSERT_OK_AND_ASSIGN(const Model program, Model::load(exported));
  EXPECT_EQ(program.format(), ModelFormat::kTorchExportedProgram);
  EXPECT_EQ(program.summary()->weight_bytes, 16u);
  EXPECT_NE(program.digest(), torchscript.digest());

  EXPECT_THAT(Model::load(write("c.pt", zip_of({{"net/data.pkl", 6}, {"net/data/0", 12}}))),
              StatusIs(StatusCode::kInvalidArgument, "a PyTorch checkpoint"));
  EXPECT_THAT(Model::load(write("d.pt", zip_of({{"readme.txt", 6}}))),
              StatusIs(StatusCode::kInvalidArgument, "a zip archive, but not a PyTorch model"));
}

// ---- TFLite --------------------------------------------------------------------------------------------------------

// A table of a FlatBuffer: field number -> value.
struct FlatTable;
using FlatValue = std::variant<int8_t, int32_t, uint32_t, std::string, std::vector<int32_t>, std::vector<FlatTable>>;
struct FlatTable {
  std::map<uint16_t, FlatValue> fields;
};

// Each object is written where it is met, its children after it.
class FlatWriter {
 public:
  static std::string write(const FlatTable& root, const std::string& identifier) {
    FlatWriter writer;
    writer.out_ = std::string(4, '\0') + identifier;
    writer.point(0, writer.add(root));
    return writer.out_;
  }

 private:
  // Offsets count from where they stand.
  void point(size_t place, size_t target) {
    const auto offset = static_cast<uint32_t>(target - place);
    std::memcpy(out_.data() + place, &offset, sizeof(offset));
  }
  size_t add(const FlatTable& table) {
    const size_t fields = table.fields.empty() ? 0 : table.fields.rbegin()->first + size_t{1};
    const size_t vtable = out_.size();
    put<uint16_t>(out_, static_cast<uint16_t>(4 + 2 * fields));
    put<uint16_t>(out_, static_cast<uint16_t>(4 + 4 * fields));
    for (size_t i = 0; i < fields; ++i)
      put<uint16_t>(out_, table.fields.contains(static_cast<uint16_t>(i)) ? static_cast<uint16_t>(4 + 4 * i) : uint16_t{0});
    const size_t at = out_.size();
    put<int32_t>(out_, static_cast<int32_t>(at - vtable));
    out_.append(4 * fields, '\0');
    for (const auto& [number, value] : table.fields)
      std::visit([&, place = at + 4 + 4 * size_t{number}](const auto& held) { set(place, held); }, value);
    return at;
  }
  template <typename T>
  void set(size_t place, const T& scalar) {
    std::memcpy(out_.data() + place, &scalar, sizeof(scalar));
  }
  void set(size_t place, const std::string& text) {
    point(place, out_.size());
    put<uint32_t>(out_, static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  void set(size_t place, const std::vector<int32_t>& numbers) {
    point(place, out_.size());
    put<uint32_t>(out_, static_cast<uint32_t>(numbers.size()));
    for (const int32_t number : numbers) put(out_, number);
  }
  void set(size_t place, const std::vector<FlatTable>& tables) {
    point(place, out_.size());
    put<uint32_t>(out_, static_cast<uint32_t>(tables.size()));
    const size_t slots = out_.size();
    out_.append(4 * tables.size(), '\0');
    for (size_t i = 0; i < tables.size(); ++i) {
      const size_t target = add(tables[i]);
      point(slots + 4 * i, target);
    }
  }
  std::string out_;
};

// x[?,4] f32 -> ADD w, GELU, a custom operator -> y[1,4] i8. Numbers are those of tensorflow/lite/schema/schema.fbs.
std::string tflite_model() {
  using Tables = std::vector<FlatTable>;
  using Numbers = std::vector<int32_t>;
  constexpr int8_t kFloat = 0, kInt8 = 9, kAdd = 0, kCustom = 32, kNewer = 127;
  constexpr int32_t kGelu = 150;
  const Tables codes = {{{{0, kAdd}}}, {{{0, kNewer}, {3, kGelu}}}, {{{0, kCustom}, {1, std::string("Mine")}}}};
  const Tables tensors = {{{{0, Numbers{1, 4}}, {1, kFloat}, {2, uint32_t{0}}, {3, std::string("x")}, {7, Numbers{-1, 4}}}},
                          {{{0, Numbers{4}}, {1, kFloat}, {2, uint32_t{1}}, {3, std::string("w")}}},
                          {{{0, Numbers{1, 4}}, {1, kInt8}, {2, uint32_t{0}}, {3, std::string("y")}}}};
  const Tables operators = {{{{0, uint32_t{0}}}}, {{{0, uint32_t{1}}}}, {{{0, uint32_t{2}}}}, {{{0, uint32_t{0}}}}};
  const FlatTable graph{{{0, tensors}, {1, Numbers{0}}, {2, Numbers{2}}, {3, operators}, {4, std::string("main")}}};
  const Tables buffers = {{}, {{{0, std::string(16, 'w')}}}};
  return FlatWriter::write({{{0, uint32_t{3}}, {1, codes}, {2, Tables{graph}}, {3, std::string("made here")}, {4, buffers}}},
                           "TFL3");
}

TEST_F(ModelFiles, ATfliteModelShowsItsInterfaceOperatorsAndWeights) {
  const std::string whole = tflite_model();
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(write("named_otherwise.bin", whole)));
  EXPECT_EQ(model.format(), ModelFormat::kTflite);
  EXPECT_EQ(model.name(), "main");
  EXPECT_EQ(model.producer(), "made here");
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].name, "x");
  EXPECT_EQ(model.inputs()[0].dtype, DataType::kFloat32);
  EXPECT_EQ(format_shape(model.inputs()[0].shape), "[?, 4]");
  ASSERT_EQ(model.outputs().size(), 1u);
  EXPECT_EQ(model.outputs()[0].name, "y");
  EXPECT_EQ(model.outputs()[0].dtype, DataType::kInt8);
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_THAT(summary.op_counts, ElementsAre(Pair("ADD", 2u), Pair("CUSTOM:Mine", 1u), Pair("GELU", 1u)));
  EXPECT_EQ(summary.weight_bytes, 16u);
  EXPECT_EQ(summary.parameter_count, 4u);
  for (size_t size = 8; size < whole.size(); size += 3) {
    const auto cut = Model::load(write("cut.tflite", whole.substr(0, size)));
    EXPECT_THAT(cut, StatusIs(StatusCode::kDataLoss)) << size;
  }
}

}  // namespace
}  // namespace axle
