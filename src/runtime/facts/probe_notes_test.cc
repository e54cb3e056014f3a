// What an engine writes down while it judges one model is there when it judges the next, in another process, for the same library.
#include "runtime/facts/probe_notes.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"
#include "runtime/runtime_state.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::IsOk;

class ProbeNotesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(folder_, ScratchDir::create());
    testing::reset_fake("abacus");
    engine_.info.name = "abacus";
    engine_.library_digest = "sha256:first";
    capability_.resource = "cpu:0";
    start();
  }
  void TearDown() override { runtime_.reset(); }
  void start() {
    RuntimeOptions options;
    options.cache_folder = folder_->file("cache");
    options.engines = {"abacus"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
  }
  // What the engine finds, and leaves.
  std::string ask(const std::optional<std::string>& leaves, const std::string& custom_ops = "") {
    ProbeNotes notes(*runtime_, engine_, capability_, custom_ops);
    if (notes.folder().empty()) return "nowhere";
    const std::string file = notes.folder() + "/known-nodes";
    const auto found = read_file(file, size_t{1} << 30);
    if (leaves) {
      EXPECT_THAT(write_file_atomic(file, *leaves), IsOk());
    }
    notes.keep();
    const std::string folder = notes.folder();
    EXPECT_TRUE(fs::exists(folder));
    return found ? *found : "nothing";
  }

  std::optional<ScratchDir> folder_;
  std::shared_ptr<Runtime> runtime_;
  EngineFacts engine_;
  CapabilityFacts capability_;
};

TEST_F(ProbeNotesTest, AreThereForTheNextQuestion) {
  EXPECT_EQ(ask("one"), "nothing");
  EXPECT_EQ(ask("one two"), "one");
  start();
  EXPECT_EQ(ask(std::nullopt), "one two");
  EXPECT_EQ(ask(std::nullopt), "one two");
}

TEST_F(ProbeNotesTest, AreOfOneLibraryResourceAndSetOfOperators) {
  ask("one");
  EXPECT_EQ(ask(std::nullopt, "ops.so#sha256:1"), "nothing");
  capability_.resource = "gpu:0";
  EXPECT_EQ(ask(std::nullopt), "nothing");
  capability_.resource = "cpu:0";
  engine_.library_digest = "sha256:second";
  EXPECT_EQ(ask(std::nullopt), "nothing");
  engine_.library_digest = "sha256:first";
  EXPECT_EQ(ask(std::nullopt), "one");
}

TEST_F(ProbeNotesTest, AreOfOneDeviceUnderTheOptionsThatAreAlwaysGiven) {
  capability_.engine_id = "sm_80";
  ask("one");
  capability_.engine_id = "sm_90";
  EXPECT_EQ(ask(std::nullopt), "nothing");
  capability_.engine_id = "sm_80";
  EXPECT_EQ(ask(std::nullopt), "one");
  const std::string before = asked_of(*runtime_, capability_);
  OptionSpec option;
  option.name = "level";
  option.default_value = "low";
  capability_.capability.options.push_back(option);
  const std::string with = asked_of(*runtime_, capability_);
  EXPECT_NE(with, before);
  capability_.capability.options.back().default_value = "high";
  EXPECT_NE(asked_of(*runtime_, capability_), with);
}

TEST_F(ProbeNotesTest, AreNotKeptOfALibraryThatNobodyKnows) {
  engine_.library_digest.clear();
  EXPECT_EQ(ask("one"), "nowhere");
}

TEST_F(ProbeNotesTest, AreBounded) {
  ask("one");
  ask(std::string((size_t{1} << 20) + 1, 'x'));
  EXPECT_EQ(ask(std::nullopt), "one");
}

TEST_F(ProbeNotesTest, ThatAreDamagedAreFoundOutAgain) {
  ask("one");
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder_->file("cache") + "/memo-1")) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  for (const fs::path& file : files) std::ofstream(file, std::ios::binary) << "axle-memo 1 sha256:0\nhalf a fi";
  start();
  EXPECT_EQ(ask("again"), "nothing");
  EXPECT_EQ(ask(std::nullopt), "again");
}

// Through the whole way: two models, two processes.
TEST_F(ProbeNotesTest, ReachTheEngineWithTheNextModel) {
  std::vector<std::string> found;
  testing::registered_fake("abacus").script().answer_support = [&](const kit::SupportArgs& args) {
    const std::string file = std::string(args.scratch_folder) + "/known-nodes";
    const auto text = read_file(file, 100);
    found.push_back(text ? *text : "nothing");
    std::ofstream(file) << "Relu yes\n";
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    return support;
  };
  const auto model = [](const char* output) {
    testing::ModelBuilder builder;
    builder.input("x", testing::kF32, {4}).output(output, testing::kF32, {4});
    builder.node("Relu", {"x"}, {output}, "only");
    return Model::from_bytes(testing::as_bytes(builder.serialise()));
  };
  PlanRequest request;
  request.policy.execution.precisions = {"f32"};
  AXLE_ASSERT_OK_AND_ASSIGN(const Model first, model("y"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Model second, model("z"));
  ASSERT_THAT(make_plan(*runtime_, first, request), IsOk());
  const size_t asked = found.size();
  ASSERT_GE(asked, 1u);
  EXPECT_EQ(found.front(), "nothing");
  start();
  ASSERT_THAT(make_plan(*runtime_, second, request), IsOk());
  ASSERT_GT(found.size(), asked);
  EXPECT_EQ(found[asked], "Relu yes\n");
}

}  // namespace
}  // namespace axle
