// What the tests of the store share: a cache in a scratch folder, a builder of small artefacts, and disk faults by number.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "axle/cache.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "cache/disk.h"

namespace axle::testing {

inline ArtefactKey key_for(const std::string& model) {
  ArtefactKey key;
  key.model_digest = model;
  key.engine = "fake";
  key.library_digests = {{"libfake.so", "sha256:1"}};
  key.options = {{"level", "3"}};
  key.precision = "f32";
  return key;
}

inline void write_plain(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// Writes `contents` as blobs "blob0", "blob1", ... and counts how often it ran.
inline MakeArtefact builder(std::vector<std::string> contents, std::atomic<int>* runs = nullptr) {
  return [contents = std::move(contents), runs](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
    if (runs) ++*runs;
    ManifestDraft draft;
    for (size_t i = 0; i < contents.size(); ++i) {
      const std::string file = "file" + std::to_string(i);
      write_plain(folder + "/" + file, contents[i]);
      draft.blobs.push_back({"blob" + std::to_string(i), "bytes", file});
    }
    draft.compatibility_json = R"({"abi":7})";
    return draft;
  };
}

inline std::string text_of(const Blob& blob) { return {reinterpret_cast<const char*>(blob.data.data()), blob.data.size()}; }

// Every regular file under `folder`, sorted.
inline std::vector<std::string> files_under(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder)) {
    if (item.is_regular_file()) files.push_back(item.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string content_of(const std::string& path) { return *read_file(path, 1 << 26); }

// Writes into a file in place, as a bad disk or a careless program would, whatever its mode.
inline void overwrite(const std::string& path, const std::string& content) {
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  write_plain(path, content);
  ASSERT_EQ(::chmod(path.c_str(), status.st_mode & 07777), 0);
}

// Makes the file look as if it had been written an hour ago, so that its stamp may stand for its content: only ctime
// still tells. (ctime cannot be set; tests that need a settled ctime wait.)
inline void make_old(const std::string& path) {
  const timespec times[2] = {{::time(nullptr) - 3600, 0}, {::time(nullptr) - 3600, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

class CacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // In memory where there is such a place: these tests sync to the disk hundreds of times.
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create(in_memory ? "/dev/shm" : ""));
    scratch_ = std::make_unique<ScratchDir>(std::move(scratch));
    folder_ = scratch_->file("cache");
  }
  void TearDown() override { set_disk_fault(nullptr); }

  Cache open(uint64_t max_bytes = 1 << 20, bool read_only = false) {
    auto cache = Cache::open({folder_, max_bytes, read_only});
    EXPECT_TRUE(cache.ok()) << cache.status().to_string();
    return *std::move(cache);
  }

  std::unique_ptr<ScratchDir> scratch_;
  std::string folder_;
};

// Disk faults: step number `strike_at` (from 0) fails with `error`, or kills the process when error is 0.
struct DiskFaults {
  static inline std::atomic<int> step{0};
  static inline std::atomic<int> strike_at{-1};
  static inline std::atomic<int> error{ENOSPC};

  static int strike(DiskStep, const std::string&, size_t) {
    if (step.fetch_add(1) != strike_at.load()) return 0;
    if (error == 0) ::kill(::getpid(), SIGKILL);
    return error;
  }
  // -1 = count only.
  static void arm(int at, int with_error) {
    step = 0;
    strike_at = at;
    error = with_error;
    set_disk_fault(&strike);
  }
  static int disarm() {
    set_disk_fault(nullptr);
    return step;
  }
};

}  // namespace axle::testing
