#include "vendor_library.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace axle::ort
