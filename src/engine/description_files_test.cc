// Engines that are files: found, named, refused and opened.
#include <sys/stat.h>

#include "axle/engine.h"
#include "axle/engine_description.h"
#include "base/file.h"
#include "engine/description_files.h"
#include "engine/engine.h"
#include "engine/testing/engine_fixture.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FakeEngine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;

constexpr const char* kNamed = "format = 1\n[engine]\nname = \"acme\"\n";

class DescriptionFiles : public ::testing::Test {
 protected:
  DescriptionFiles() : folder_(*ScratchDir::create()) {}
  std::string put(const std::string& name, const std::string& text) {
    EXPECT_THAT(write_file_atomic(folder_.file(name), text), IsOk());
    return folder_.file(name);
  }
  EngineRegistryOptions options(bool with_plugin) const {
    EngineRegistryOptions options;
    options.default_folders = false;
    options.descriptions = {folder_.path()};
    if (with_plugin) options.plugin_folders = {std::string(AXLE_BINARY_DIR) + "/lib/axle/engines"};
    return options;
  }
  ScratchDir folder_;
};

TEST_F(DescriptionFiles, EngineHasTheNameInTheFileOrElseOfTheFile) {
  EXPECT_EQ(described_engine_name(put("x.toml", kNamed)), "acme");
  EXPECT_EQ(described_engine_name(put("stem.toml", "[engine\n")), "stem");
  EXPECT_EQ(described_engine_name(put("other.toml", "[engine]\nname = 7\n")), "other");
}

TEST_F(DescriptionFiles, OnlyTomlFilesOfFoldersThatNobodyElseWrites) {
  put("a.toml", kNamed);
  put("readme.txt", "x");
  std::vector<std::string> problems;
  EXPECT_THAT(description_files(folder_.path(), problems), ElementsAre(folder_.file("a.toml")));
  EXPECT_THAT(description_files(folder_.file("readme.txt"), problems), ElementsAre(folder_.file("readme.txt")));
  EXPECT_THAT(description_files(folder_.file("nowhere"), problems), IsEmpty());
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  EXPECT_THAT(description_files(folder_.path(), problems), IsEmpty());
  EXPECT_THAT(problems, ElementsAre(HasSubstr("everybody may write there")));
}

TEST_F(DescriptionFiles, WithoutThePluginItIsAnAbsentEngine) {
  put("a.toml", kNamed);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(options(false)));
  EXPECT_THAT(registry->names(), ElementsAre("acme"));
  EXPECT_THAT(registry->open("acme"), StatusIs(StatusCode::kUnavailable, "libaxle_engine_described.so was not found"));
}

TEST_F(DescriptionFiles, BrokenOneIsAbsentWithThePlace) {
  put("a.toml", kNamed);
  put("syntax.toml", "format = 1\n[engine\n");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(options(true)));
  EXPECT_THAT(registry->open("acme"), StatusIs(StatusCode::kInvalidArgument, "a.toml:"));
  EXPECT_THAT(registry->open("syntax"), StatusIs(StatusCode::kInvalidArgument, "syntax.toml:2:"));
  AXLE_ASSERT_OK_AND_ASSIGN(const EngineState state, registry->state("acme"));
  EXPECT_FALSE(state.present);
  EXPECT_EQ(state.description_path, folder_.file("a.toml"));
  EXPECT_THAT(registry->open("null"), IsOk());
}

TEST_F(DescriptionFiles, TakesNoNameOfAPluginAndNoneThatIsNoName) {
  put("null.toml", "[engine]\nname = \"null\"\n");
  put("bad.toml", "[engine]\nname = \"Bad Name\"\n");
  put("described.toml", "[engine]\nname = \"described\"\n");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(options(true)));
  EXPECT_THAT(registry->problems(),
              ::testing::UnorderedElementsAre(HasSubstr("null.toml is not used"), HasSubstr("'Bad Name' is no engine name"),
                                              HasSubstr("'described' is no engine name")));
  AXLE_ASSERT_OK_AND_ASSIGN(const EngineState state, registry->state("null"));
  EXPECT_EQ(state.description_path, "");
}

TEST_F(DescriptionFiles, ThePluginAloneIsNoEngine) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(options(true)));
  EXPECT_THAT(registry->names(), ::testing::Not(::testing::Contains("described")));
}

TEST_F(DescriptionFiles, CheckRefusesWhatCannotBeRead) {
  EXPECT_THAT(check_engine_description(folder_.file("nowhere.toml")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(check_engine_description(put("a.toml", kNamed)), StatusIs(StatusCode::kInvalidArgument, "a.toml:"));
  EXPECT_THAT(check_engine_description(put("b.toml", "[engine]\nname = \"null\"\n")),
              StatusIs(StatusCode::kAlreadyExists, "'null'"));
}

}  // namespace
}  // namespace axle
