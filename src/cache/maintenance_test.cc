// What looks at or clears away many entries: ls, stats, verify, gc, rm, pins.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <thread>

#include "axle/cache.h"
#include "cache/memo.h"
#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::builder;
using testing::content_of;
using testing::files_under;
using testing::IsOk;
using testing::key_for;
using testing::overwrite;
using ::testing::SizeIs;
using testing::StatusIs;

using CacheMaintenanceTest = testing::CacheTest;

TEST_F(CacheMaintenanceTest, LeastRecentlyUsedGoesFirst) {
  Cache cache = open(30);
  for (const char* model : {"a", "b", "c"}) {
    ASSERT_THAT(cache.get_or_make(key_for(model), builder({std::string(10, model[0])})), IsOk());
  }
  ASSERT_TRUE(cache.find(key_for("a"))->hit());
  ASSERT_THAT(cache.get_or_make(key_for("d"), builder({std::string(10, 'd')})), IsOk());
  EXPECT_TRUE(cache.find(key_for("a"))->hit());
  EXPECT_FALSE(cache.find(key_for("b"))->hit());
  EXPECT_TRUE(cache.find(key_for("c"))->hit());
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.evictions, 1u);
  EXPECT_EQ(stats.bytes, 30u);
}

TEST_F(CacheMaintenanceTest, LeasedAndPinnedEntriesStay) {
  Cache cache = open();
  AXLE_ASSERT_OK_AND_ASSIGN(std::optional<Lease> leased, cache.get_or_make(key_for("leased"), builder({"one"})));
  ASSERT_THAT(cache.get_or_make(key_for("pinned"), builder({"two"})), IsOk());
  ASSERT_THAT(cache.get_or_make(key_for("plain"), builder({"three"})), IsOk());
  ASSERT_THAT(cache.set_pinned(key_for("pinned").digest(), true), IsOk());
  EXPECT_THAT(cache.set_pinned(key_for("absent").digest(), true), StatusIs(StatusCode::kNotFound));
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheGcReport first, cache.gc(0));
  EXPECT_EQ(first.removed_entries, 1u);
  EXPECT_EQ(first.removed_bytes, 5u);
  EXPECT_EQ(first.in_use_entries, 1u);
  EXPECT_EQ(first.kept_bytes, 6u);
  EXPECT_EQ(content_of(leased->blobs()[0].path), "one");
  leased.reset();
  ASSERT_THAT(cache.set_pinned(key_for("pinned").digest(), false), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheGcReport second, cache.gc(0));
  EXPECT_EQ(second.removed_entries, 2u);
  EXPECT_EQ(second.kept_bytes, 0u);
  EXPECT_THAT(files_under(folder_ + "/store-1/objects"), SizeIs(0));
}

// Takes descriptors until so many are left to this process.
class FewDescriptors {
 public:
  explicit FewDescriptors(int left) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(STDIN_FILENO);
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next + left), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(CacheMaintenanceTest, WhatCannotBeReadForWantOfDescriptorsIsNotCorrupt) {
  Cache cache = open();
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease leased, cache.get_or_make(key_for("leased"), builder({"one"})));
  ASSERT_THAT(cache.get_or_make(key_for("plain"), builder({"two"})), IsOk());
  const std::vector<std::string> before = files_under(folder_ + "/store-1/entries");
  const std::vector<std::string> objects = files_under(folder_ + "/store-1/objects");
  int failures = 0;
  for (int left = 0; left < 4; ++left) {
    std::optional<Result<CacheGcReport>> report;
    {
      const FewDescriptors few(left);
      report.emplace(cache.gc());
    }
    if (report->ok()) continue;
    ++failures;
    EXPECT_THAT(*report, StatusIs(StatusCode::kResourceExhausted)) << left;
    EXPECT_EQ(files_under(folder_ + "/store-1/entries"), before) << left;
    EXPECT_EQ(files_under(folder_ + "/store-1/objects"), objects) << left;
  }
  EXPECT_GE(failures, 2);
  EXPECT_TRUE(cache.find(key_for("leased"), {.verify = true})->hit());
  EXPECT_TRUE(cache.find(key_for("plain"), {.verify = true})->hit());
}

TEST_F(CacheMaintenanceTest, CopiesShareTheLease) {
  Cache cache = open();
  std::optional<Lease> copy;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Lease lease, cache.get_or_make(key_for("m"), builder({"x"})));
    copy = lease;
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheGcReport report, cache.gc(0));
  EXPECT_EQ(report.in_use_entries, 1u);
}

TEST_F(CacheMaintenanceTest, RemovesByPrefix) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("a"), builder({"a"})), IsOk());
  ASSERT_THAT(cache.get_or_make(key_for("b"), builder({"b"})), IsOk());
  const std::string digest = key_for("a").digest();
  EXPECT_THAT(cache.rm(""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(cache.rm("../x"), StatusIs(StatusCode::kInvalidArgument));
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheGcReport report, cache.rm(digest.substr(0, 7 + 12)));
  EXPECT_EQ(report.removed_entries, 1u);
  EXPECT_THAT(cache.rm(digest), StatusIs(StatusCode::kNotFound));
  ASSERT_THAT(cache.memo().put("plan", "k", "v"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheGcReport all, cache.rm("*"));
  EXPECT_EQ(all.removed_entries, 1u);
  EXPECT_EQ(cache.memo().get("plan", "k"), std::nullopt);
}

TEST_F(CacheMaintenanceTest, ListsByLastUse) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("a"), builder({"aa"})), IsOk());
  ASSERT_THAT(cache.get_or_make(key_for("b"), builder({"b"})), IsOk());
  ASSERT_TRUE(cache.find(key_for("a"))->hit());
  ASSERT_THAT(cache.set_pinned(key_for("b").digest(), true), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto entries, cache.ls());
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].key, key_for("a"));
  EXPECT_EQ(entries[0].size_bytes, 2u);
  EXPECT_FALSE(entries[0].pinned);
  EXPECT_TRUE(entries[1].pinned);
  EXPECT_EQ(entries[1].key_digest, key_for("b").digest());
}

TEST_F(CacheMaintenanceTest, StatisticsLiveAcrossOpenings) {
  {
    Cache cache = open();
    ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"x"})), IsOk());
    ASSERT_TRUE(cache.find(key_for("m"))->hit());
  }
  Cache cache = open();
  ASSERT_TRUE(cache.find(key_for("m"))->hit());
  ASSERT_FALSE(cache.find(key_for("n"))->hit());
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheStats stats, cache.stats());
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.misses, 2u);
  EXPECT_DOUBLE_EQ(stats.hit_rate, 0.5);
}

TEST_F(CacheMaintenanceTest, VerifyCanRemoveTheBad) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("good"), builder({"good"})), IsOk());
  ASSERT_THAT(cache.get_or_make(key_for("bad"), builder({"bad"})), IsOk());
  ASSERT_THAT(cache.memo().put("plan", "key", "value"), IsOk());
  overwrite(folder_ + "/store-1/entries/" + key_for("bad").digest().substr(7, 2) + "/" + key_for("bad").digest().substr(7),
            "?");
  overwrite(files_under(folder_ + "/memo-1").at(0), "?");
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheVerifyReport report, cache.verify(true));
  EXPECT_THAT(report.problems, SizeIs(2));
  EXPECT_EQ(report.entries, 2u);
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_THAT(cache.verify()->problems, SizeIs(0));
  EXPECT_TRUE(cache.find(key_for("good"))->hit());
}

TEST_F(CacheMaintenanceTest, CollectionUnderUseNeverTakesWhatIsLeased) {
  Cache cache = open();
  std::atomic<bool> done{false};
  std::thread collector([&] {
    while (!done) EXPECT_THAT(cache.gc(0), IsOk());
  });
  std::vector<std::thread> users;
  for (int t = 0; t < 3; ++t) {
    users.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        const std::string model = "m" + std::to_string(i % 2) + std::to_string(t % 2);
        const auto lease = cache.get_or_make(key_for(model), builder({model, "shared"}));
        ASSERT_TRUE(lease.ok()) << lease.status().to_string();
        EXPECT_EQ(content_of(lease->blobs()[0].path), model);
        EXPECT_EQ(content_of(lease->blobs()[1].path), "shared");
      }
    });
  }
  for (auto& user : users) user.join();
  done = true;
  collector.join();
  EXPECT_EQ(cache.stats()->corrupt, 0u);
}

}  // namespace
}  // namespace axle
