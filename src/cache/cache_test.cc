#include "axle/cache.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "cache/memo.h"
#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::builder;
using testing::CacheTest;
using testing::content_of;
using testing::files_under;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::key_for;
using testing::overwrite;
using ::testing::SizeIs;
using testing::StatusIs;
using testing::text_of;

TEST_F(CacheTest, MakesOnceAndThenFinds) {
  Cache cache = open();
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup before, cache.find(key_for("m")));
  EXPECT_FALSE(before.hit());
  EXPECT_EQ(before.miss_reason, "not in the cache");
  std::atomic<int> runs{0};
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease made, cache.get_or_make(key_for("m"), builder({"alpha", "beta"}, &runs)));
  EXPECT_TRUE(made.built());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease again, cache.get_or_make(key_for("m"), builder({"other"}, &runs)));
  EXPECT_FALSE(again.built());
  EXPECT_EQ(runs, 1);
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup after, cache.find(key_for("m")));
  ASSERT_TRUE(after.hit());
  const Lease& lease = *after.lease;
  EXPECT_EQ(lease.key(), key_for("m"));
  EXPECT_EQ(lease.key_digest(), key_for("m").digest());
  EXPECT_EQ(lease.compatibility_json(), R"({"abi":7})");
  EXPECT_EQ(lease.size_bytes(), 9u);
  ASSERT_THAT(lease.blobs(), SizeIs(2));
  EXPECT_EQ(text_of(lease.blobs()[0]), "alpha");
  ASSERT_NE(lease.find_blob("blob1"), nullptr);
  EXPECT_EQ(text_of(*lease.find_blob("blob1")), "beta");
  EXPECT_EQ(content_of(lease.find_blob("blob1")->path), "beta");
  EXPECT_EQ(lease.find_blob("blob2"), nullptr);
}

TEST_F(CacheTest, EveryFieldOfTheKeyCounts) {
  const ArtefactKey base = key_for("m");
  std::vector<ArtefactKey> keys(14, base);
  keys[0].model_digest = "x";
  keys[1].subgraph_digest = "x";
  keys[2].extractor_version = "x";
  keys[3].engine = "x";
  keys[4].plugin_digest = "x";
  keys[5].library_digests["libfake.so"] = "sha256:2";
  keys[6].options["level"] = "2";
  keys[7].shapes = "x";
  keys[8].calibration_digest = "x";
  keys[9].target = "x";
  keys[10].isa = "x";
  keys[11].precision = "bf16";
  keys[12].threads = 2;
  keys[13].model_digest = "\xff";  // not UTF-8: still a key of its own
  std::set<std::string> digests = {base.digest()};
  for (const ArtefactKey& key : keys) EXPECT_TRUE(digests.insert(key.digest()).second) << key.to_json();
  EXPECT_EQ(base.digest(), key_for("m").digest());
}

TEST_F(CacheTest, EqualBlobsAreStoredOnce) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("a"), builder({"same bytes"})), IsOk());
  ASSERT_THAT(cache.get_or_make(key_for("b"), builder({"same bytes"})), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.entries, 2u);
  EXPECT_EQ(stats.bytes, 10u);
  ASSERT_THAT(cache.rm(key_for("a").digest()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup kept, cache.find(key_for("b"), {.verify = true}));
  EXPECT_TRUE(kept.hit());
}

TEST_F(CacheTest, AnotherModelOfTheSameSizeAndTimeIsAnotherKey) {
  // The key holds digests of content, so swapped weights cannot meet the artefact of the old ones.
  Cache cache = open();
  const std::string model = scratch_->file("model");
  testing::write_plain(model, "weights A");
  testing::make_old(model);
  AXLE_ASSERT_OK_AND_ASSIGN(const StampedDigest first, stamped_digest(&cache.memo(), model));
  ASSERT_THAT(cache.get_or_make(key_for(first.digest.to_string()), builder({"compiled A"})), IsOk());
  testing::write_plain(model, "weights B");
  testing::make_old(model);
  AXLE_ASSERT_OK_AND_ASSIGN(const StampedDigest second, stamped_digest(&cache.memo(), model));
  EXPECT_NE(first.digest, second.digest);
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for(second.digest.to_string())));
  EXPECT_FALSE(lookup.hit());
}

TEST_F(CacheTest, BuildersFailureIsReturnedAndLeavesNothing) {
  Cache cache = open();
  const auto result =
      cache.get_or_make(key_for("m"), [](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
        testing::write_plain(folder + "/half", "half");
        return unavailable_error("the compiler is broken");
      });
  EXPECT_THAT(result, StatusIs(StatusCode::kUnavailable, "the compiler is broken"));
  EXPECT_FALSE(is_cache_failure(result.error()));
  EXPECT_THAT(files_under(folder_ + "/store-1/scratch"), SizeIs(0));
  EXPECT_THAT(files_under(folder_ + "/store-1/locks"), SizeIs(0));
  std::atomic<int> runs{0};
  ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"x"}, &runs)), IsOk());
  EXPECT_EQ(runs, 1);
}

TEST_F(CacheTest, RefusesDraftsThatLeaveTheScratchFolder) {
  Cache cache = open();
  const std::string outside = scratch_->file("outside");
  testing::write_plain(outside, "secret");
  struct Case {
    const char* file;
    const char* says;
  };
  for (const Case& item :
       {Case{"../../../../outside", "not inside"}, Case{"/etc/hostname", "not inside"}, Case{"", "not inside"},
        Case{"absent", "was not written"}, Case{"link", "leads over a link"}, Case{"folder/inside", "leads over a link"},
        Case{"second-name", "one name"}, Case{"real", "regular file"}}) {
    const auto result =
        cache.get_or_make(key_for("m"), [&](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
          std::filesystem::create_symlink(outside, folder + "/link");
          std::filesystem::create_directory_symlink(scratch_->path(), folder + "/folder");
          std::filesystem::create_directory(folder + "/real");
          testing::write_plain(scratch_->file("inside"), "x");
          testing::write_plain(folder + "/file", "x");
          std::filesystem::create_hard_link(folder + "/file", folder + "/second-name");
          return ManifestDraft{{{"blob", "bytes", item.file}}};
        });
    EXPECT_THAT(result, StatusIs(StatusCode::kInvalidArgument, item.says)) << item.file;
  }
  EXPECT_EQ(content_of(outside), "secret");
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.bytes, 0u);
}

TEST_F(CacheTest, RefusesDraftsWithoutBlobsOrWithTwoOfOneName) {
  Cache cache = open();
  EXPECT_THAT(cache.get_or_make(key_for("m"), builder({})), StatusIs(StatusCode::kInvalidArgument, "no blob"));
  const auto twice = [](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
    testing::write_plain(folder + "/a", "a");
    testing::write_plain(folder + "/b", "b");
    return ManifestDraft{{{"blob", "t", "a"}, {"blob", "t", "b"}}};
  };
  EXPECT_THAT(cache.get_or_make(key_for("m"), twice), StatusIs(StatusCode::kInvalidArgument, "two blobs"));
  const auto no_object = [](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
    testing::write_plain(folder + "/a", "a");
    return ManifestDraft{{{"blob", "t", "a"}}, "[1]"};
  };
  EXPECT_THAT(cache.get_or_make(key_for("m"), no_object), StatusIs(StatusCode::kInvalidArgument, "JSON object"));
}

TEST_F(CacheTest, ArtefactOverTheLimitIsNotStored) {
  Cache cache = open(10);
  const auto result = cache.get_or_make(key_for("m"), builder({std::string(11, 'x')}));
  EXPECT_THAT(result, StatusIs(StatusCode::kResourceExhausted, "11 bytes"));
  EXPECT_TRUE(is_cache_failure(result.error()));
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.bytes, 0u);
}

TEST_F(CacheTest, ReadOnlyFindsAndWritesNothing) {
  {
    Cache cache = open();
    ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"x"})), IsOk());
  }
  Cache cache = open(1 << 20, true);
  EXPECT_TRUE(cache.find(key_for("m"))->hit());
  const auto result = cache.get_or_make(key_for("n"), builder({"y"}));
  EXPECT_THAT(result, StatusIs(StatusCode::kFailedPrecondition, "reading only"));
  EXPECT_TRUE(is_cache_failure(result.error()));
  EXPECT_THAT(cache.gc(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(cache.rm("*"), StatusIs(StatusCode::kFailedPrecondition));
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.hits, 0u);
  EXPECT_THAT(Cache::open({scratch_->file("absent"), 1, true}), StatusIs(StatusCode::kNotFound));
}

TEST_F(CacheTest, FolderIsPrivate) {
  open();
  struct stat status{};
  ASSERT_EQ(::stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(::chmod(folder_.c_str(), 0770), 0);
  const auto refused = Cache::open({folder_});
  EXPECT_THAT(refused, StatusIs(StatusCode::kPermissionDenied, "chmod"));
  EXPECT_TRUE(is_cache_failure(refused.error()));
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  EXPECT_THAT(Cache::open({folder_}), IsOk());
  ASSERT_EQ(::chmod((folder_ + "/store-1/objects").c_str(), 0777), 0);
  EXPECT_THAT(Cache::open({folder_}), StatusIs(StatusCode::kPermissionDenied, "objects"));
}

TEST_F(CacheTest, ForeignFolderIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a folder away";
  open();
  ASSERT_EQ(::chown(folder_.c_str(), 12345, 12345), 0);
  EXPECT_THAT(Cache::open({folder_}), StatusIs(StatusCode::kPermissionDenied, "another user"));
}

TEST_F(CacheTest, ManifestThatOthersMayWriteIsNotBelieved) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"x"})), IsOk());
  const auto files = files_under(folder_ + "/store-1/entries");
  ASSERT_THAT(files, SizeIs(1));
  ASSERT_EQ(::chmod(files[0].c_str(), 0666), 0);
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m")));
  EXPECT_THAT(lookup.miss_reason, HasSubstr("others can write it"));
}

TEST_F(CacheTest, StrangeThingsInPlaceOfFilesAreCorruptAndRemoved) {
  Cache cache = open();
  for (const bool manifest : {true, false}) {
    for (const char* what : {"link", "folder", "absent"}) {
      ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"x"})), IsOk());
      const auto files = files_under(folder_ + (manifest ? "/store-1/entries" : "/store-1/objects"));
      ASSERT_THAT(files, SizeIs(1));
      std::filesystem::remove(files[0]);
      if (what == std::string("link")) std::filesystem::create_symlink("/nowhere", files[0]);
      if (what == std::string("folder")) std::filesystem::create_directories(files[0] + "/sub");
      AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m")));
      EXPECT_FALSE(lookup.hit());
      const bool plain_miss = manifest && what == std::string("absent");
      EXPECT_THAT(lookup.miss_reason, HasSubstr(plain_miss ? "not in the cache" : "corrupt: ")) << what;
      EXPECT_THAT(cache.verify(), IsOk());
    }
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease rebuilt, cache.get_or_make(key_for("m"), builder({"x"})));
  EXPECT_EQ(text_of(rebuilt.blobs()[0]), "x");
}

TEST_F(CacheTest, EmptyBlobIsABlob) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("m"), builder({""})), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m"), {.verify = true}));
  ASSERT_TRUE(lookup.hit());
  EXPECT_EQ(lookup.lease->blobs()[0].data.size(), 0u);
}

TEST_F(CacheTest, DamagedBlobIsRepairedByRebuilding) {
  Cache cache = open();
  std::string path;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Lease lease, cache.get_or_make(key_for("m"), builder({"good bytes"})));
    path = lease.blobs()[0].path;
  }
  overwrite(path, "bad! bytes");
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheVerifyReport report, cache.verify());
  ASSERT_THAT(report.problems, SizeIs(1));
  EXPECT_THAT(report.problems[0].file, HasSubstr("store-1/objects/"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease rebuilt, cache.get_or_make(key_for("m"), builder({"good bytes"})));
  EXPECT_TRUE(rebuilt.built());
  EXPECT_EQ(text_of(rebuilt.blobs()[0]), "good bytes");
  EXPECT_EQ(cache.stats()->corrupt, 1u);
  EXPECT_THAT(cache.verify()->problems, SizeIs(0));
}

TEST_F(CacheTest, SettledStampSparesTheHashUntilVerifyIsAsked) {
  Cache cache = open();
  std::string path;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Lease lease, cache.get_or_make(key_for("m"), builder({"bytes"})));
    path = lease.blobs()[0].path;
  }
  const auto remembered = [&] {
    const auto stamp = FileStamp::of_path(path);
    return stamp.ok() && cache.memo().get("digest", stamp->to_string()).has_value();
  };
  ASSERT_TRUE(cache.find(key_for("m"))->hit());
  EXPECT_FALSE(remembered()) << "a fresh stamp must not stand for the content";
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  ASSERT_TRUE(cache.find(key_for("m"))->hit());
  EXPECT_TRUE(remembered());
  EXPECT_TRUE(cache.find(key_for("m"))->hit());
  EXPECT_TRUE(cache.find(key_for("m"), {.verify = true})->hit());
  overwrite(path, "BYTES");  // ctime tells
  EXPECT_FALSE(cache.find(key_for("m"))->hit());
}

TEST_F(CacheTest, CancelStopsTheWaitForAnotherBuilder) {
  Cache cache = open();
  std::atomic<bool> building{false}, go{false};
  std::thread other([&] {
    const auto slow = [&](const std::string& folder, const CancelToken& cancel) {
      building = true;
      while (!go) std::this_thread::yield();
      return builder({"x"})(folder, cancel);
    };
    EXPECT_THAT(cache.get_or_make(key_for("m"), slow), IsOk());
  });
  while (!building) std::this_thread::yield();
  MakeOptions options;
  options.cancel = CancelToken();
  int told = 0;
  options.progress = [&](const std::string& what, double fraction) {
    EXPECT_THAT(what, HasSubstr("waiting"));
    EXPECT_EQ(fraction, -1);
    if (++told == 3) options.cancel.cancel();
  };
  const auto waited = cache.get_or_make(key_for("m"), builder({"y"}), options);
  EXPECT_THAT(waited, StatusIs(StatusCode::kCancelled));
  EXPECT_FALSE(is_cache_failure(waited.error()));
  EXPECT_EQ(told, 3);
  go = true;
  other.join();
}

TEST_F(CacheTest, ThreadsThatRaceForAKeyBuildItOnce) {
  Cache cache = open();
  std::atomic<int> runs{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 6; ++i) {
        const std::string model = "m" + std::to_string((i + t) % 3);
        const auto lease = cache.get_or_make(key_for(model), builder({"content of " + model}, &runs));
        ASSERT_TRUE(lease.ok()) << lease.status().to_string();
        EXPECT_EQ(text_of(lease->blobs()[0]), "content of " + model);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(runs, 3);
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.hits, 45u);
  EXPECT_EQ(stats.misses, 3u);
}

TEST(CacheFolder, ComesFromTheEnvironment) {
  const auto set = [](const char* name, const char* value) {
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  };
  const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  const std::string given = std::getenv("AXLE_CACHE_DIR") ? std::getenv("AXLE_CACHE_DIR") : "";
  set("AXLE_CACHE_DIR", "/a");
  set("XDG_CACHE_HOME", "/x");
  set("HOME", "/h");
  EXPECT_EQ(*Cache::default_folder(), "/a");
  set("AXLE_CACHE_DIR", nullptr);
  EXPECT_EQ(*Cache::default_folder(), "/x/axle");
  set("XDG_CACHE_HOME", "relative");
  EXPECT_EQ(*Cache::default_folder(), "/h/.cache/axle");
  set("XDG_CACHE_HOME", nullptr);
  set("HOME", nullptr);
  EXPECT_THAT(Cache::default_folder(), StatusIs(StatusCode::kNotFound, "AXLE_CACHE_DIR"));
  set("HOME", home.empty() ? nullptr : home.c_str());
  set("AXLE_CACHE_DIR", given.empty() ? nullptr : given.c_str());
}

}  // namespace
}  // namespace axle
