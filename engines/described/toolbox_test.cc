#include "toolbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace axle::described {
namespace {

using axle::testing::IsOk;
using axle::testing::StatusIs;
using ::testing::HasSubstr;

class ToolboxCase : public ::testing::Test {
 protected:
  ToolboxCase() : scratch_(*ScratchDir::create()) {
    description_.info.name = "acme";
    description_.info.install_command = "apt install acme";
    description_.folder = scratch_.path();
    ToolSpec tool;
    tool.name = "compiler";
    tool.file = "acme-compile-for-test";
    tool.paths = {"${folder}/bin", "python:acme/bin"};
    tool.version_argv = {"--version"};
    tool.version_pattern = "acme ([0-9.]+)";
    description_.tools = {tool};
    search_.scratch_folder = scratch_.path();
  }

  void put_tool(const std::string& folder, const std::string& version) {
    ASSERT_THAT(make_dirs(folder), IsOk());
    const std::string path = folder + "/acme-compile-for-test";
    ASSERT_THAT(write_file_atomic(path, "#!/bin/sh\necho banner\necho acme " + version + " >&2\n"), IsOk());
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }

  ScratchDir scratch_;
  Description description_;
  ToolSearch search_;
};

TEST_F(ToolboxCase, MissingToolSaysWhereAndHow) {
  const auto found = find_tools(description_, search_);
  EXPECT_THAT(found,
              StatusIs(StatusCode::kUnavailable, "the program 'acme-compile-for-test' (compiler) was not found; looked for " +
                                                     scratch_.path() + "/bin/acme-compile-for-test"));
  EXPECT_EQ(found.status().hint(), "apt install acme");
}

TEST_F(ToolboxCase, FindsToolAndItsVersion) {
  put_tool(scratch_.file("bin"), "1.4.2");
  const auto found = find_tools(description_, search_);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->tools.front().version, "1.4.2");
  const Values values = found->values(description_);
  EXPECT_EQ(values.find("tool.compiler.folder")->second, scratch_.file("bin"));
  EXPECT_EQ(values.find("version.compiler")->second, "1.4.2");
}

TEST_F(ToolboxCase, LooksBelowSitePackages) {
  put_tool(scratch_.file("site/acme/bin"), "1.0");
  search_.python_folders = {scratch_.file("site")};
  EXPECT_THAT(find_tools(description_, search_), IsOk());
}

TEST_F(ToolboxCase, VariableNamesFileOrFolder) {
  description_.tools[0].variable = "ACME_HOME_FOR_TEST";
  put_tool(scratch_.file("home/bin"), "2.5");
  for (const char* below : {"home", "home/bin", "home/bin/acme-compile-for-test"}) {
    ::setenv("ACME_HOME_FOR_TEST", scratch_.file(below).c_str(), 1);
    EXPECT_THAT(find_tools(description_, search_), IsOk()) << below;
  }
  ::unsetenv("ACME_HOME_FOR_TEST");
}

TEST_F(ToolboxCase, VersionOutsideTheRangeIsRefused) {
  put_tool(scratch_.file("bin"), "9.0");
  description_.tools[0].versions = ">=1.2, <2";
  EXPECT_THAT(find_tools(description_, search_),
              StatusIs(StatusCode::kUnavailable, "is version 9.0; this description accepts >=1.2, <2"));
}

TEST_F(ToolboxCase, WhatOnlyCompilingNeedsMayBeMissing) {
  ToolSpec runtime;
  runtime.name = "runtime";
  runtime.file = "libacme-for-test.so";
  runtime.is_program = false;
  runtime.is_library = true;
  runtime.paths = {"${folder}/lib"};
  description_.tools.push_back(runtime);
  description_.tools[0].only_to_compile = true;
  description_.portable = true;
  description_.digest = "sha256:d";
  EXPECT_THAT(find_tools(description_, search_), StatusIs(StatusCode::kUnavailable, "libacme-for-test.so"))
      << "nothing is here";
  ASSERT_THAT(make_dirs(scratch_.file("lib")), IsOk());
  ASSERT_THAT(write_file_atomic(scratch_.file("lib/libacme-for-test.so"), "x"), IsOk());
  const auto found = find_tools(description_, search_);
  ASSERT_THAT(found, IsOk());
  EXPECT_THAT(found->compiler, StatusIs(StatusCode::kUnavailable, "acme-compile-for-test"));
  EXPECT_FALSE(found->values(description_).contains("tool.compiler"));
  EXPECT_EQ(toolchain_of(description_, *found),
            (std::map<std::string, std::string>{{"description", "sha256:d"}, {"tool.compiler", ""}}));
  put_tool(scratch_.file("bin"), "1.4.2");
  const auto whole = find_tools(description_, search_);
  ASSERT_THAT(whole, IsOk());
  EXPECT_THAT(whole->compiler, IsOk());
  EXPECT_EQ(toolchain_of(description_, *whole).at("tool.compiler"), "1.4.2");
}

TEST_F(ToolboxCase, ToolWithoutVersionIsRefused) {
  put_tool(scratch_.file("bin"), "");
  EXPECT_THAT(find_tools(description_, search_), StatusIs(StatusCode::kUnavailable, "does not tell its version"));
}

TEST_F(ToolboxCase, EmptyBaseEnvironmentHasOnlyWhatIsSet) {
  Environment environment;
  environment.set["A"] = "${x}";
  ::setenv("LEAKS_FOR_TEST", "1", 1);
  const auto list = environment_of(environment, {{"x", "1"}, {"private", scratch_.file("private")}});
  ASSERT_THAT(list, IsOk());
  EXPECT_THAT(*list, ::testing::UnorderedElementsAre("A=1", HasSubstr("HOME=/"), HasSubstr("TMPDIR=/"), HasSubstr("PATH="),
                                                     HasSubstr("LANG=")));
  environment.inherited = true;
  environment.unset = {"LEAKS_FOR_TEST"};
  environment.private_home = false;
  EXPECT_THAT(*environment_of(environment, {{"x", "1"}}), ::testing::Not(::testing::Contains(HasSubstr("LEAKS_FOR_TEST"))));
  ::unsetenv("LEAKS_FOR_TEST");
}

TEST_F(ToolboxCase, DevicesAreFoundByPciId) {
  const auto put = [&](const std::string& address, const char* vendor, const char* device) {
    const std::string folder = scratch_.file("pci/" + address);
    ASSERT_THAT(make_dirs(folder), IsOk());
    ASSERT_THAT(write_file_atomic(folder + "/vendor", std::string(vendor) + "\n"), IsOk());
    ASSERT_THAT(write_file_atomic(folder + "/device", std::string(device) + "\n"), IsOk());
  };
  put("0000:01:00.0", "0x1e52", "0x0401");
  put("0000:02:00.0", "0x8086", "0x0401");
  put("0000:03:00.0", "0x1e52", "0x0401");
  description_.pci_ids = {"1e52:0401"};
  const auto found = find_resources(description_, scratch_.file("pci"));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[1].id, "acme:1");
  EXPECT_EQ(found[1].pci_address, "0000:03:00.0");
  EXPECT_EQ(found[2].id, "acme:2");
  EXPECT_EQ(found[2].attributes.at("compiles_for"), "1e52:0401") << "a machine that has one compiles for others all the same";
  description_.pci_ids = {"8086:*"};
  EXPECT_EQ(find_resources(description_, scratch_.file("pci")).size(), 2u);
  description_.simulated = true;
  EXPECT_EQ(find_resources(description_, scratch_.file("nowhere")).size(), 1u);
}

TEST_F(ToolboxCase, WithoutADeviceItsCompilerIsThereAllTheSame) {
  description_.pci_ids = {"1e52:0401", "1e52:0402"};
  const auto absent = find_resources(description_, scratch_.file("nowhere"));
  ASSERT_EQ(absent.size(), 1u);
  EXPECT_EQ(absent[0].id, "acme:0");
  EXPECT_EQ(absent[0].attributes.at("compiles_for"), "1e52:0401 1e52:0402");
}

}  // namespace
}  // namespace axle::described
