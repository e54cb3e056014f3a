// Models that are damaged, or made to do harm: each must be refused with a reason, and cost little.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "axle/model.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "model/testing/model_builder.h"
#include "model/testing/shared_models.h"

namespace axle {
namespace {

namespace fs = std::filesystem;
using testing::as_bytes;
using testing::IsOk;
using testing::kF32;
using testing::ModelBuilder;
using testing::StatusIs;

Result<Model> read(const std::string& bytes) { return Model::from_bytes(as_bytes(bytes)); }
Result<Model> read(const ModelBuilder& builder) { return read(builder.serialise()); }

ModelBuilder add_model() {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  builder.node("Add", {"x", "w"}, {"y"}, "add");
  return builder;
}

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(HostileModel, EveryTruncationIsRefused) {
  ModelBuilder builder = add_model();
  builder.weight("w", {2}, {1, 2});
  const std::string whole = builder.serialise();
  ASSERT_THAT(read(whole), IsOk());
  for (size_t size = 0; size < whole.size(); ++size) {
    const Result<Model> result = read(whole.substr(0, size));
    if (result.has_value()) {
      // Cut at a field boundary: what is left must be whole in itself.
      EXPECT_THAT(graph_of(*result), IsOk());
      continue;
    }
    EXPECT_FALSE(result.status().hint().empty()) << size;
  }
}

TEST(HostileModel, SmallFileThatClaimsTwoGigabytes) {
  ModelBuilder builder = add_model();
  auto& tensor = builder.weight("w", {2}, {1, 2});
  tensor.set_dims(0, 1 << 29);
  const long before = peak_kilobytes();
  EXPECT_THAT(read(builder), StatusIs(StatusCode::kInvalidArgument, "claims [536870912] of f32, but holds 8 bytes"));

  // The same by a length prefix: graph (field 7) of 2 GB in a file of a few bytes.
  const std::string prefix("\x08\x08\x3a\xff\xff\xff\xff\x07", 8);
  EXPECT_THAT(read(prefix + std::string(1000, 'x')), StatusIs(StatusCode::kDataLoss, "claims 2147483647 bytes"));
  EXPECT_LT(peak_kilobytes() - before, 64 << 10);
}

TEST(HostileModel, ImpossibleShapes) {
  ModelBuilder negative = add_model();
  negative.weight("w", {-1}, {1});
  EXPECT_THAT(read(negative), StatusIs(StatusCode::kInvalidArgument, "impossible shape"));
  ModelBuilder overflow = add_model();
  overflow.weight("w", {INT64_MAX, INT64_MAX, 4}, {1});
  EXPECT_THAT(read(overflow), StatusIs(StatusCode::kInvalidArgument, "impossible shape"));
  ModelBuilder rank = add_model();
  rank.weight("w", std::vector<int64_t>(1000, 1), {1});
  EXPECT_THAT(read(rank), StatusIs(StatusCode::kInvalidArgument, "rank 1000"));
}

TEST(HostileModel, CyclesNameTheirNodes) {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).output("c", kF32, {2});
  builder.node("Add", {"x", "b"}, {"a"}, "first");
  builder.node("Relu", {"a"}, {"b"}, "second");
  builder.node("Relu", {"b"}, {"c"}, "after");
  EXPECT_THAT(read(builder), StatusIs(StatusCode::kInvalidArgument,
                                      "cycle: node 'first' (Add) -> node 'second' (Relu) -> node 'first' (Add)"));
  ModelBuilder self;
  self.output("a", kF32, {2});
  self.node("Relu", {"a"}, {"a"}, "own_tail");
  EXPECT_THAT(read(self), StatusIs(StatusCode::kInvalidArgument, "cycle: node 'own_tail'"));
}

TEST(HostileModel, NamesDefinedTwiceOrNever) {
  ModelBuilder twice = add_model();
  twice.weight("w", {2}, {1, 2});
  twice.node("Relu", {"x"}, {"y"});
  EXPECT_THAT(read(twice), StatusIs(StatusCode::kInvalidArgument, "'y' is defined twice"));
  ModelBuilder weights = add_model();
  weights.weight("w", {2}, {1, 2});
  weights.weight("w", {2}, {3, 4});
  EXPECT_THAT(read(weights), StatusIs(StatusCode::kInvalidArgument, "'w' is defined twice"));
  EXPECT_THAT(read(add_model()), StatusIs(StatusCode::kInvalidArgument, "'w', which nothing defines"));
}

TEST(HostileModel, OpsetsAndVersionsFromTheFuture) {
  ModelBuilder opset(9999);
  opset.output("y", kF32, {2});
  EXPECT_THAT(read(opset), StatusIs(StatusCode::kUnimplemented, "opset 9999 of ai.onnx; the newest known here is"));
  ModelBuilder ir(17, 99);
  ir.output("y", kF32, {2});
  EXPECT_THAT(read(ir), StatusIs(StatusCode::kUnimplemented, "IR version 99"));
}

TEST(HostileModel, DeepNesting) {
  ModelBuilder builder;
  builder.input("go", onnx::TensorProto::BOOL, {}).output("y", kF32, {2});
  auto* node = &builder.node("If", {"go"}, {"y"}, "outer");
  for (int i = 0; i < 20; ++i) {
    auto& body = ModelBuilder::set_graph(*node, "then_branch");
    node = body.add_node();
    node->set_op_type("If");
    node->add_input("go");
    node->add_output("y" + std::to_string(i));
    body.add_output()->set_name("y" + std::to_string(i));
  }
  EXPECT_THAT(read(builder), StatusIs(StatusCode::kResourceExhausted, "nested deeper than 16"));

  // Deeper than protobuf follows: graph { node { attribute { g { ... } } } }.
  std::string message;
  const auto wrap = [](char tag, const std::string& inner) {
    std::string out(1, tag);
    for (size_t size = inner.size();; size >>= 7) {
      out.push_back(static_cast<char>((size & 0x7f) | (size >= 0x80 ? 0x80 : 0)));
      if (size < 0x80) break;
    }
    return out + inner;
  };
  for (int i = 0; i < 500; ++i) message = wrap(0x0a, wrap(0x2a, wrap(0x32, message)));
  EXPECT_THAT(read(std::string("\x08\x08") + wrap(0x3a, message)), StatusIs(StatusCode::kInvalidArgument));
}

TEST(HostileModel, FunctionsThatGrowWithoutEnd) {
  ModelBuilder builder;
  builder.import_opset("local", 1);
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  for (int i = 0; i < 40; ++i) {  // each calls the next twice: 2^40 nodes
    auto& function = *builder.model.add_functions();
    function.set_name("f" + std::to_string(i));
    function.set_domain("local");
    function.add_input("a");
    function.add_output("c");
    function.add_opset_import()->set_version(17);
    auto& local = *function.add_opset_import();
    local.set_domain("local");
    local.set_version(1);
    const char* names[] = {"a", "b", "c"};
    for (int call = 0; call < 2; ++call) {
      auto& node = *function.add_node();
      node.set_op_type(i == 39 ? "Relu" : "f" + std::to_string(i + 1));
      node.set_domain(i == 39 ? "" : "local");
      node.add_input(names[call]);
      node.add_output(names[call + 1]);
    }
  }
  builder.node("f0", {"x"}, {"y"}, "", "local");
  EXPECT_THAT(read(builder), StatusIs(StatusCode::kResourceExhausted, "inlining"));

  builder.model.mutable_functions(39)->mutable_node(0)->set_op_type("f0");
  builder.model.mutable_functions(39)->mutable_node(0)->set_domain("local");
  EXPECT_THAT(read(builder), StatusIs(StatusCode::kInvalidArgument, "calls itself"));
}

TEST(HostileModel, LimitsAreNamed) {
  ModelBuilder builder = add_model();
  builder.weight("w", {2}, {1, 2});
  const std::string bytes = builder.serialise();
  ModelOptions options;
  options.limits.max_nodes = 0;
  EXPECT_THAT(Model::from_bytes(as_bytes(bytes), "", options), StatusIs(StatusCode::kResourceExhausted, "more than 0 nodes"));
  options = {};
  options.limits.max_structure_bytes = 20;
  EXPECT_THAT(Model::from_bytes(as_bytes(bytes), "", options), StatusIs(StatusCode::kResourceExhausted, "limit of 20 bytes"));
  ModelBuilder names = add_model();
  names.weight("w", {2}, {1, 2});
  names.node("Relu", {"x"}, {std::string(100'000, 'n')});
  EXPECT_THAT(read(names), StatusIs(StatusCode::kResourceExhausted, "100000 bytes"));
  ModelBuilder text = add_model();
  text.weight("w", {2}, {1, 2});
  text.graph().mutable_node(0)->set_name("\xff\xfe");
  EXPECT_THAT(read(text), StatusIs(StatusCode::kInvalidArgument, "not UTF-8"));
}

TEST(HostileModel, EmptyHtmlAndPointerFiles) {
  EXPECT_THAT(read(std::string()), StatusIs(StatusCode::kInvalidArgument, "empty"));
  EXPECT_THAT(read(std::string("  <!DOCTYPE html><html>")), StatusIs(StatusCode::kInvalidArgument, "web page"));
  EXPECT_THAT(read(std::string("version https://git-lfs.github.com/spec/v1\noid sha256:0")),
              StatusIs(StatusCode::kInvalidArgument, "Git LFS pointer"));
  EXPECT_THAT(read(std::string("just some words")), StatusIs(StatusCode::kInvalidArgument, "not a model"));
}

// External data, in a folder of its own.
class ExternalDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create());
    scratch_.emplace(std::move(scratch));
    fs::create_directory(scratch_->file("model"));
    ASSERT_THAT(write_file_atomic(scratch_->file("secret.bin"), std::string(64, 's')), IsOk());
    ASSERT_THAT(write_file_atomic(scratch_->file("model/weights.bin"), std::string(64, 'w')), IsOk());
  }

  Result<Model> load(const ModelBuilder& builder, const ModelOptions& options = {}) {
    const std::string path = scratch_->file("model/model.onnx");
    EXPECT_THAT(write_file_atomic(path, builder.serialise()), IsOk());
    return Model::load(path, options);
  }
  Result<Model> load_with(const std::string& location, int64_t offset = -1, int64_t length = -1) {
    ModelBuilder builder = add_model();
    builder.external("w", {2}, location, offset, length);
    return load(builder);
  }

  std::optional<ScratchDir> scratch_;
};

TEST_F(ExternalDataTest, ReadsTheNamedRange) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, load_with("weights.bin", 8, 8));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  EXPECT_EQ(graph->weights[0]->bytes.size(), 8u);
  EXPECT_EQ(graph->weights[0]->file_offset, 8u);
  EXPECT_EQ(graph->weights[0]->path, fs::canonical(scratch_->file("model/weights.bin")).string());
  ASSERT_EQ(model.files().size(), 2u);
  EXPECT_EQ(model.files()[1].role, "weights.bin");
  EXPECT_THAT(model.check_unchanged(), IsOk());
}

TEST_F(ExternalDataTest, RefusesWhatLeavesTheFolder) {
  EXPECT_THAT(load_with("../secret.bin"), StatusIs(StatusCode::kPermissionDenied, "leaves the model's folder"));
  EXPECT_THAT(load_with("sub/../../secret.bin"), StatusIs(StatusCode::kPermissionDenied, "leaves the model's folder"));
  EXPECT_THAT(load_with(scratch_->file("secret.bin")), StatusIs(StatusCode::kPermissionDenied, "is absolute"));
  EXPECT_THAT(load_with(""), StatusIs(StatusCode::kInvalidArgument, "no location"));
  fs::create_symlink(scratch_->file("secret.bin"), scratch_->file("model/link.bin"));
  EXPECT_THAT(load_with("link.bin"), StatusIs(StatusCode::kPermissionDenied, "outside the model's folder"));
  fs::create_directory_symlink(scratch_->path(), scratch_->file("model/up"));
  EXPECT_THAT(load_with("up/secret.bin"), StatusIs(StatusCode::kPermissionDenied, "outside the model's folder"));
}

TEST_F(ExternalDataTest, LinksIntoANamedFolderAreAllowed) {
  fs::create_directory(scratch_->file("blobs"));
  ASSERT_THAT(write_file_atomic(scratch_->file("blobs/abc"), std::string(8, 'b')), IsOk());
  fs::create_symlink(scratch_->file("blobs/abc"), scratch_->file("model/link.bin"));
  ModelBuilder builder = add_model();
  builder.external("w", {2}, "link.bin");
  ModelOptions options;
  options.external_data_folders = {scratch_->file("blobs")};
  EXPECT_THAT(load(builder, options), IsOk());
}

TEST_F(ExternalDataTest, RefusesRangesPastTheEnd) {
  EXPECT_THAT(load_with("weights.bin", 60, 8), StatusIs(StatusCode::kDataLoss, "has only 64"));
  EXPECT_THAT(load_with("weights.bin", INT64_MAX, 8), StatusIs(StatusCode::kDataLoss, "has only 64"));
  EXPECT_THAT(load_with("weights.bin", 0, 4), StatusIs(StatusCode::kInvalidArgument, "needs 8 bytes"));
  EXPECT_THAT(load_with("missing.bin"), StatusIs(StatusCode::kNotFound, "missing.bin"));
  EXPECT_THAT(load_with("."), StatusIs(StatusCode::kInvalidArgument, "regular file"));
}

// ONNX Runtime and OpenVINO read the offset as an address then: there must not be a file that makes it pass for data.
TEST_F(ExternalDataTest, RefusesTheNameThatStandsForAnAddress) {
  fs::create_directories(scratch_->file("model/*/_ORT_MEM_ADDR_"));
  ASSERT_THAT(write_file_atomic(scratch_->file("model/*/_ORT_MEM_ADDR_/*"), std::string(64, 'x')), IsOk());
  for (const char* name : {"*/_ORT_MEM_ADDR_/*", "./*/_ORT_MEM_ADDR_/*", "c:*/_ORT_MEM_ADDR_/*"})
    EXPECT_THAT(load_with(name, 8, 8), StatusIs(StatusCode::kPermissionDenied, "an address in memory"));
}

TEST_F(ExternalDataTest, RefusesEscapesInsideNodeBodies) {
  ModelBuilder builder;
  builder.input("go", onnx::TensorProto::BOOL, {}).output("y", kF32, {2});
  auto& node = builder.node("If", {"go"}, {"y"});
  for (const char* name : {"then_branch", "else_branch"}) {
    ModelBuilder inner;
    inner.external("w", {2}, "../secret.bin");
    auto& body = ModelBuilder::set_graph(node, name);
    *body.add_initializer() = inner.graph().initializer(0);
    body.add_output()->set_name("w");
  }
  EXPECT_THAT(load(builder), StatusIs(StatusCode::kPermissionDenied, "leaves the model's folder"));
}

TEST_F(ExternalDataTest, BytesWithoutAFolderHaveNoExternalData) {
  ModelBuilder builder = add_model();
  builder.external("w", {2}, "weights.bin");
  EXPECT_THAT(read(builder), StatusIs(StatusCode::kFailedPrecondition, "has no folder"));
}

TEST_F(ExternalDataTest, SwappedWeightsOfTheSameSizeAndTimeChangeTheDigest) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model before, load_with("weights.bin", 0, 8));
  const std::string path = scratch_->file("model/weights.bin");
  const auto time = fs::last_write_time(path);
  {
    std::ofstream file(path, std::ios::binary | std::ios::in);
    file << "X";
  }
  fs::last_write_time(path, time);
  EXPECT_THAT(before.check_unchanged(), StatusIs(StatusCode::kAborted, "weights.bin has changed"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Model after, Model::load(scratch_->file("model/model.onnx")));
  EXPECT_NE(before.digest(), after.digest());
}

TEST(SharedCorruptModels, AreRefusedWithAReason) {
  AXLE_SHARED_MODEL_OR_SKIP(folder, "corrupt");
  int tried = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const Result<Model> model = Model::load(entry.path().string());
    EXPECT_FALSE(model.has_value()) << entry.path();
    EXPECT_FALSE(model.status().hint().empty()) << model.status().to_string();
    EXPECT_NE(model.status().message().find(entry.path().filename().string()), std::string::npos) << model.status().to_string();
    ++tried;
  }
  EXPECT_GE(tried, 6);
}

}  // namespace
}  // namespace axle
