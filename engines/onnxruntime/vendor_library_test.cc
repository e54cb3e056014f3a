#include "vendor_library.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "settings.h"
#include "testing/recorded_library.h"

namespace axle::ort {
namespace {

namespace fs = std::filesystem;

class LibrarySearch : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "axle-ort-search-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directories(folder_ / "onnxruntime" / "capi");
    unsetenv(kLibraryVariable);
  }
  void TearDown() override {
    unsetenv(kLibraryVariable);
    fs::remove_all(folder_);
  }
  void touch(const std::string& name) const { std::ofstream(folder_ / "onnxruntime" / "capi" / name) << "no library"; }

  fs::path folder_;
};

TEST_F(LibrarySearch, PrefersTheNewestInAFolderThenTheSystem) {
  touch("libonnxruntime.so.1.9.0");
  touch("libonnxruntime.so.1.31.1");
  touch("libonnxruntime_providers_shared.so");
  const std::vector<std::string> candidates = library_candidates({folder_.string()});
  ASSERT_GE(candidates.size(), 3u);
  EXPECT_TRUE(candidates[0].ends_with("libonnxruntime.so.1.31.1"));
  EXPECT_TRUE(candidates[1].ends_with("libonnxruntime.so.1.9.0"));
  EXPECT_EQ(candidates[2], "libonnxruntime.so.1");
}

TEST_F(LibrarySearch, NamesTheBrokenFileItFound) {
  touch("libonnxruntime.so.1.31.1");
  kit::CreateArgs args;
  args.search_folders = {folder_.string()};
  try {
    open_vendor_library(args);
    GTEST_SKIP() << "the system has an ONNX Runtime of its own";
  } catch (const kit::Error& error) {
    EXPECT_EQ(error.code(), AXLE_UNAVAILABLE);
    EXPECT_THAT(error.message(), ::testing::HasSubstr("libonnxruntime.so.1.31.1"));
    EXPECT_EQ(error.hint(), kInstallCommand);
  }
}

TEST_F(LibrarySearch, NeverReplacesTheVariable) {
  setenv(kLibraryVariable, "/no/such/library.so", 1);
  kit::CreateArgs args;
  args.search_folders = {folder_.string()};
  try {
    open_vendor_library(args);
    FAIL() << "opened something else";
  } catch (const kit::Error& error) {
    EXPECT_THAT(error.message(), ::testing::HasSubstr(kLibraryVariable));
    EXPECT_THAT(error.message(), ::testing::HasSubstr("/no/such/library.so"));
  }
}

// Libraries of other versions than the headers.
class LibraryVersion : public ::testing::Test {
 protected:
  void SetUp() override {
    said_ = testing::new_recording(AXLE_ORT_RECORDED_LIBRARY);
    ASSERT_NE(said_, nullptr);
    args_.library_path = AXLE_ORT_RECORDED_LIBRARY;
  }

  testing::Recording* said_ = nullptr;
  kit::CreateArgs args_;
};

TEST_F(LibraryVersion, AnOlderOneIsAskedForItsOwnTable) {
  const std::pair<const char*, uint32_t> cases[] = {
      {"1.18.0", 18}, {"1.20.1", 20}, {"1.28.2", 28}, {"1.99.0", ORT_API_VERSION}};
  for (const auto& [version, expected] : cases) {
    said_->version = version;
    said_->asked_for.clear();
    const VendorLibrary library = open_vendor_library(args_);
    EXPECT_EQ(library.version, version);
    EXPECT_EQ(library.build, "recorded");
    EXPECT_EQ(library.api.version, std::min<uint32_t>(expected, ORT_API_VERSION));
    EXPECT_TRUE(library.api.has(std::min<uint32_t>(expected, ORT_API_VERSION)));
    EXPECT_FALSE(library.api.has(expected + 1));
    EXPECT_THAT(said_->asked_for, ::testing::ElementsAre(library.api.version)) << version;
  }
}

TEST_F(LibraryVersion, OneThatIsNotKnownIsRefusedWithoutAskingForATable) {
  const std::pair<const char*, const char*> cases[] = {{"1.17.3", "too old: 1.18 or newer is needed"},
                                                       {"2.0.0", "which this plugin does not know"},
                                                       {"unknown", "which this plugin does not know"}};
  for (const auto& [version, words] : cases) {
    said_->version = version;
    try {
      open_vendor_library(args_);
      FAIL() << "opened " << version;
    } catch (const kit::Error& error) {
      EXPECT_EQ(error.code(), AXLE_UNAVAILABLE);
      EXPECT_THAT(error.message(), ::testing::HasSubstr(std::string("ONNX Runtime ") + version + ", "));
      EXPECT_THAT(error.message(), ::testing::HasSubstr(words));
    }
  }
  EXPECT_THAT(said_->asked_for, ::testing::IsEmpty());
}

// The layout level came with 1.23: before, it was a part of "all".
TEST_F(LibraryVersion, SessionOptionsUseWhatTheLibraryKnows) {
  Settings settings;
  settings.graph_optimization_level = "layout";
  for (const auto& [version, level] : {std::pair("1.18.0", int{ORT_ENABLE_ALL}), std::pair("1.23.0", 3)}) {
    said_->version = version;
    const Api api = open_vendor_library(args_).api;
    make_session_options(api, settings, SessionPlan{});
    EXPECT_EQ(said_->graph_optimization_level, level) << version;
    EXPECT_EQ(said_->beyond, 0) << version;
    EXPECT_EQ(said_->live_options, 0) << version;
  }
}

}  // namespace
}  // namespace axle::ort
