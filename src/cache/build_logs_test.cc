// Logs of builds: those that are part of artefacts, and those of builds that failed.
#include <gmock/gmock.h>

#include "axle/build_log.h"
#include "cache/failed_builds.h"
#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::builder;
using testing::CacheTest;
using testing::files_under;
using testing::IsOk;
using testing::key_for;
using testing::StatusIs;
using testing::write_plain;

class BuildLogsTest : public CacheTest {
 protected:
  static MakeArtefact logging(const std::string& log) {
    return [log](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
      write_plain(folder + "/code", "code");
      write_plain(folder + "/log", log);
      ManifestDraft draft;
      draft.blobs = {{"code", "bytes", "code"}, {std::string(kBuildLogName), "bytes", "log"}};
      return draft;
    };
  }
};

TEST_F(BuildLogsTest, TellsWhatAnArtefactsCompilerPrinted) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("talks"), logging("## step one\nall well\n")).status(), IsOk());
  ASSERT_THAT(cache.get_or_make(key_for("silent"), builder({"code"})).status(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<BuildLog> logs, build_logs(cache));
  ASSERT_EQ(logs.size(), 2u);
  for (const BuildLog& log : logs) {
    const bool talks = log.key.model_digest == "talks";
    EXPECT_FALSE(log.failed);
    EXPECT_EQ(log.kept, talks);
    EXPECT_EQ(log.text, talks ? "## step one\nall well\n" : "");
    EXPECT_EQ(log.key_digest, log.key.digest());
  }
}

TEST_F(BuildLogsTest, KeepsTheLastFailureOfAKeyUntilItIsForgotten) {
  Cache cache = open();
  const std::string odd("first\n\0\xff bytes", 14);
  ASSERT_THAT(keep_failed_build(cache, key_for("m"), "step 'a' failed", "earlier"), IsOk());
  ASSERT_THAT(keep_failed_build(cache, key_for("m"), "step 'b' failed", odd), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<BuildLog> logs, build_logs(cache));
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_TRUE(logs[0].failed);
  EXPECT_TRUE(logs[0].kept);
  EXPECT_EQ(logs[0].message, "step 'b' failed");
  EXPECT_EQ(logs[0].text, odd);
  EXPECT_EQ(logs[0].key, key_for("m"));
  EXPECT_EQ(cache.ls()->size(), 0u) << "a failed build is no entry";
  EXPECT_TRUE(cache.verify()->problems.empty());
  EXPECT_EQ(forget_failed_builds(cache.path(), key_for("other").digest().substr(7)), 0u);
  EXPECT_THAT(cache.rm(key_for("m").digest()).status(), IsOk());
  EXPECT_TRUE(build_logs(cache)->empty());
  EXPECT_THAT(cache.rm(key_for("m").digest()), StatusIs(StatusCode::kNotFound));
}

TEST_F(BuildLogsTest, KeepsTheEndOfALongLogAndTheNewestOfMany) {
  Cache cache = open();
  ASSERT_THAT(keep_failed_build(cache, key_for("long"), "", std::string(kMostBuildLogBytes, 'x') + "the end"), IsOk());
  const std::vector<BuildLog> one = failed_builds(cache.path());
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].text.size(), kMostBuildLogBytes);
  EXPECT_TRUE(one[0].text.ends_with("the end"));
  for (size_t i = 0; i < kMostFailedBuilds + 3; ++i) {
    ASSERT_THAT(keep_failed_build(cache, key_for("m" + std::to_string(i)), "", "log"), IsOk());
  }
  EXPECT_EQ(failed_builds(cache.path()).size(), kMostFailedBuilds);
}

TEST_F(BuildLogsTest, WhatIsDamagedIsLeftOut) {
  Cache cache = open();
  ASSERT_THAT(keep_failed_build(cache, key_for("m"), "", "log"), IsOk());
  for (const std::string& file : files_under(cache.path() + "/store-1/failed")) testing::overwrite(file, "axle-failed-build 1");
  EXPECT_TRUE(build_logs(cache)->empty());
  AXLE_ASSERT_OK_AND_ASSIGN(const Cache reader, Cache::open({cache.path(), 1 << 20, true}));
  EXPECT_THAT(keep_failed_build(reader, key_for("m"), "", "log"), StatusIs(StatusCode::kFailedPrecondition, "reading only"));
}

}  // namespace
}  // namespace axle
