// The store against bad luck: flipped bits everywhere, full disks at every step, death at every step and at random ones.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <random>
#include <set>
#include <thread>

#include "axle/cache.h"
#include "base/logging.h"
#include "cache/evidence_payload.h"
#include "cache/file_lock.h"
#include "cache/memo.h"
#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using ::testing::AnyOf;
using testing::builder;
using testing::CacheTest;
using testing::content_of;
using testing::DiskFaults;
using testing::files_under;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::key_for;
using testing::overwrite;
using ::testing::SizeIs;
using testing::StatusIs;
using testing::text_of;

class CacheFaultsTest : public CacheTest {
 protected:
  void SetUp() override {
    CacheTest::SetUp();
    ASSERT_THAT(set_log_levels("off"), IsOk());
  }
  void TearDown() override {
    CacheTest::TearDown();
    ASSERT_THAT(set_log_levels("warning"), IsOk());
  }

  // The whole store in a sound state: everything can be verified, the key can be had with the right bytes.
  void expect_sound(const std::string& model, const std::vector<std::string>& contents) {
    Cache cache = open();
    AXLE_ASSERT_OK_AND_ASSIGN(const CacheVerifyReport report, cache.verify());
    for (const CacheProblem& problem : report.problems) ADD_FAILURE() << problem.file << ": " << problem.reason;
    AXLE_ASSERT_OK_AND_ASSIGN(const Lease lease, cache.get_or_make(key_for(model), builder(contents), {.verify = true}));
    ASSERT_THAT(lease.blobs(), SizeIs(contents.size()));
    for (size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(text_of(lease.blobs()[i]), contents[i]);
  }

  // Runs `body` in a child; returns its wait status.
  template <typename Body>
  int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) {
      body();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }
};

// Handed out means: equal to what was built. Whatever bit of whatever file is flipped.
TEST_F(CacheFaultsTest, AFlippedBitIsNeverHandedOut) {
  const std::vector<std::string> contents = {"first blob", "second blob, a little longer"};
  {
    Cache cache = open();
    ASSERT_THAT(cache.get_or_make(key_for("m"), builder(contents)), IsOk());
    ASSERT_THAT(cache.memo().put("plan", "key", "value"), IsOk());
    ASSERT_TRUE(cache.find(key_for("m"))->hit());
    ASSERT_THAT(evidence_log(folder_ + "/evidence-1.log").append({"a row"}), IsOk());
  }
  const std::string pristine = scratch_->file("pristine");
  std::filesystem::copy(folder_, pristine, std::filesystem::copy_options::recursive);
  int flips = 0, hits = 0;
  for (const std::string& file : files_under(pristine)) {
    const std::string name = file.substr(pristine.size());
    const std::string good = content_of(file);
    for (size_t byte = 0; byte < good.size(); ++byte) {
      std::filesystem::remove_all(folder_);
      std::filesystem::copy(pristine, folder_, std::filesystem::copy_options::recursive);
      std::string bad = good;
      bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 8)));
      overwrite(folder_ + name, bad);
      ++flips;
      Cache cache = open();
      AXLE_ASSERT_OK_AND_ASSIGN(const CacheVerifyReport report, cache.verify());
      EXPECT_THAT(report.problems, SizeIs(1)) << name << " byte " << byte;
      AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m")));
      if (lookup.hit()) {
        ++hits;
        EXPECT_THAT(name, ::testing::Not(AnyOf(HasSubstr("entries"), HasSubstr("objects")))) << byte;
        for (size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(text_of(lookup.lease->blobs()[i]), contents[i]);
      } else {
        EXPECT_THAT(lookup.miss_reason, HasSubstr("corrupt: "));
      }
      const auto memo = cache.memo().get("plan", "key");
      EXPECT_TRUE(!memo || *memo == "value") << *memo;
      EXPECT_EQ(memo.has_value(), name.find("memo") == std::string::npos) << name << " byte " << byte;
      EXPECT_THAT(cache.stats(), IsOk());
    }
  }
  EXPECT_GT(flips, 500);
  EXPECT_GT(hits, 0);
  expect_sound("m", contents);
}

TEST_F(CacheFaultsTest, AFileCutShortAnywhereIsNeverHandedOut) {
  {
    Cache cache = open();
    ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"some bytes of a blob"})), IsOk());
  }
  for (const std::string& folder : {folder_ + "/store-1/entries", folder_ + "/store-1/objects"}) {
    const std::string file = files_under(folder).at(0);
    const std::string good = content_of(file);
    for (size_t size = 0; size < good.size(); ++size) {
      overwrite(file, good.substr(0, size));
      Cache reader = open(1 << 20, true);
      EXPECT_FALSE(reader.find(key_for("m"))->hit()) << file << " cut to " << size;
    }
    overwrite(file, good);
  }
  expect_sound("m", {"some bytes of a blob"});
}

TEST_F(CacheFaultsTest, ACorruptEntryThatCannotBeRemovedIsAMissAndIsBuiltOver) {
  Cache cache = open();
  std::string path;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Lease lease, cache.get_or_make(key_for("m"), builder({"good"})));
    path = lease.blobs()[0].path;
  }
  overwrite(path, "evil");
  set_disk_fault([](DiskStep, const std::string&, size_t) { return EROFS; });
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m")));
  set_disk_fault(nullptr);
  EXPECT_THAT(lookup.miss_reason, HasSubstr("corrupt: "));
  EXPECT_EQ(content_of(path), "evil");
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease rebuilt, cache.get_or_make(key_for("m"), builder({"good"})));
  EXPECT_TRUE(rebuilt.built());
  EXPECT_EQ(text_of(rebuilt.blobs()[0]), "good");
}

// Each step on the way to disk fails once, with a full disk.
TEST_F(CacheFaultsTest, NoSpaceAtAnyStepLeavesNothingHalfWritten) {
  const std::vector<std::string> contents = {"first", "second"};
  int failures = 0;
  for (int at = 0, steps = 1; at < steps; ++at) {
    std::filesystem::remove_all(folder_);
    Cache cache = open();
    ASSERT_THAT(cache.get_or_make(key_for("old"), builder({"old"})), IsOk());
    DiskFaults::arm(at, ENOSPC);
    const auto result = cache.get_or_make(key_for("m"), builder(contents));
    steps = DiskFaults::disarm() + 1;  // until the struck step is one more than there are
    if (!result.ok()) {
      ++failures;
      EXPECT_THAT(result, StatusIs(StatusCode::kResourceExhausted, folder_)) << at;
      EXPECT_TRUE(is_cache_failure(result.error())) << at;
      AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m")));
      EXPECT_EQ(lookup.miss_reason, "not in the cache") << at;
      EXPECT_EQ(cache.stats()->bytes, 3u) << "step " << at << " left blobs of nobody";
    }
    EXPECT_TRUE(cache.find(key_for("old"))->hit()) << at;
    expect_sound("m", contents);
  }
  EXPECT_GT(failures, 15);
}

TEST_F(CacheFaultsTest, AFullDiskNeitherLosesNorTearsAMemo) {
  Cache cache = open();
  ASSERT_THAT(cache.memo().put("plan", "key", "old value"), IsOk());
  int failures = 0;
  for (int at = 0, steps = 1; at < steps; ++at) {
    DiskFaults::arm(at, ENOSPC);
    const Status put = cache.memo().put("plan", "key", "new value");
    steps = DiskFaults::disarm() + 1;
    EXPECT_EQ(cache.memo().get("plan", "key"), put.ok() ? "new value" : "old value") << at;
    if (!put.ok()) {
      ++failures;
      EXPECT_THAT(put, StatusIs(StatusCode::kResourceExhausted, "memo-1")) << at;
    }
    EXPECT_THAT(files_under(folder_ + "/memo-1"), SizeIs(1));
    ASSERT_THAT(cache.memo().put("plan", "key", "old value"), IsOk());
  }
  EXPECT_GE(failures, 4);
}

// Every step is once the last thing that a process does.
TEST_F(CacheFaultsTest, DeathAtAnyStepLeavesNothingOrAll) {
  const std::vector<std::string> contents = {"first", "second"};
  int deaths = 0;
  for (int at = 0;; ++at) {
    ASSERT_LT(at, 200);
    std::filesystem::remove_all(folder_);
    open();
    const int status = in_child([&] {
      DiskFaults::arm(at, 0);
      auto cache = Cache::open({folder_});
      if (!cache.ok() || !cache->get_or_make(key_for("m"), builder(contents)).ok()) ::_exit(1);
    });
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      break;  // one step more than there are
    }
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
    ++deaths;
    Cache cache = open();
    AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m"), {.verify = true}));
    EXPECT_EQ(lookup.miss_reason, lookup.hit() ? "" : "not in the cache") << at;
    expect_sound("m", contents);
    ASSERT_THAT(cache.gc(), IsOk());
    EXPECT_THAT(files_under(folder_ + "/store-1/objects"), SizeIs(2)) << at;
    EXPECT_THAT(files_under(folder_ + "/store-1/scratch"), SizeIs(0)) << at;
    EXPECT_THAT(files_under(folder_ + "/store-1/locks"), SizeIs(0)) << at;
    for (const auto& item : std::filesystem::directory_iterator(folder_ + "/store-1/scratch")) {
      ADD_FAILURE() << "left behind: " << item.path();
    }
  }
  EXPECT_GT(deaths, 15);
}

TEST_F(CacheFaultsTest, KilledAtRandomInstantsTheStoreStaysSound) {
  std::mt19937 random(7);
  open();
  int killed = 0;
  const auto content = [](int model) {
    return std::string(20'000 + static_cast<size_t>(model), static_cast<char>('a' + model));
  };
  for (int round = 0; round < 100; ++round) {
    std::vector<pid_t> children;
    for (int c = 0; c < 2; ++c) {
      const pid_t child = ::fork();
      if (child == 0) {
        auto cache = Cache::open({folder_, 60'000, false});  // small: it collects all the time
        for (int i = 0; cache.ok(); ++i) {
          const int model = (i + c) % 5;
          const auto lease = cache->get_or_make(key_for(std::to_string(model)), builder({content(model)}));
          if (lease.ok() && text_of(lease->blobs()[0]) != content(model)) ::_exit(3);
          (void)cache->memo().put("plan", std::to_string(i % 50), content(model));
          if (const auto memo = cache->memo().get("plan", std::to_string(i % 50)); memo && memo->size() < 20'000) ::_exit(4);
        }
        ::_exit(5);
      }
      children.push_back(child);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 20'000)(random)));
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_TRUE(WIFSIGNALED(status)) << "a child saw something wrong: " << WEXITSTATUS(status);
      ++killed;
    }
  }
  EXPECT_EQ(killed, 200);
  Cache cache = open(60'000);
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheVerifyReport report, cache.verify());
  for (const CacheProblem& problem : report.problems) ADD_FAILURE() << problem.file << ": " << problem.reason;
  EXPECT_EQ(cache.stats()->corrupt, 0u);
  ASSERT_THAT(cache.gc(), IsOk());
  EXPECT_LE(cache.stats()->bytes, 60'000u);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/store-1/scratch"));
}

TEST_F(CacheFaultsTest, ASizeLimitIsAnErrorAndNoSignal) {
  Cache cache = open();
  const int status = in_child([&] {
    // Blobs still fit, the manifest does not.
    const rlimit limit{300, 300};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    const auto made = cache.get_or_make(key_for("m"), builder({"small"}));
    if (made.ok()) ::_exit(2);
    if (made.error().code() != StatusCode::kResourceExhausted || !is_cache_failure(made.error())) ::_exit(3);
    if (made.error().message().find("bytes to " + folder_) == std::string::npos) ::_exit(4);
    if (cache.memo().put("plan", "key", std::string(1000, 'x')).code() != StatusCode::kResourceExhausted) ::_exit(5);
  });
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(cache.memo().get("plan", "key"), std::nullopt);
  EXPECT_EQ(cache.stats()->bytes, 0u);
  expect_sound("m", {"small"});
}

// As a program that another thread is about to start: it has every descriptor of that instant.
TEST_F(CacheFaultsTest, AForkedChildNeitherKeepsNorEndsALock) {
  const std::string path = scratch_->file("lock");
  std::optional<FileLock> lock;
  AXLE_ASSERT_OK_AND_ASSIGN(lock, FileLock::try_acquire(path, LockMode::kExclusive));
  ASSERT_TRUE(lock);
  EXPECT_EQ(in_child([&] { lock.reset(); }), 0);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto still_held, FileLock::try_acquire(path, LockMode::kExclusive));
  EXPECT_FALSE(still_held);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (;;) ::pause();
  }
  lock.reset();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto free_again, FileLock::try_acquire(path, LockMode::kExclusive));
  EXPECT_TRUE(free_again);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(CacheFaultsTest, ACountThatCannotBeWrittenHoldsNobodyUp) {
  Cache cache = open();
  ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"small"})), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto held, FileLock::try_acquire(folder_ + "/store-1/statistics.log", LockMode::kExclusive));
  ASSERT_TRUE(held);
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup lookup, cache.find(key_for("m")));
  EXPECT_TRUE(lookup.hit());
}

TEST_F(CacheFaultsTest, ProcessesThatBuildTheSameArtefactBuildItOnce) {
  open();
  const std::string log = scratch_->file("builds");
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto cache = Cache::open({folder_});
      if (!cache.ok()) ::_exit(1);
      const auto slow = [&](const std::string& folder, const CancelToken& cancel) {
        std::ofstream(log, std::ios::app) << ::getpid() << std::endl;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return builder({"content"})(folder, cancel);
      };
      const auto lease = cache->get_or_make(key_for("m"), slow);
      ::_exit(lease.ok() && text_of(lease->blobs()[0]) == "content" ? (lease->built() ? 10 : 20) : 2);
    }
    children.push_back(child);
  }
  std::multiset<int> codes;
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    codes.insert(WEXITSTATUS(status));
  }
  EXPECT_EQ(codes, (std::multiset<int>{10, 20, 20, 20}));
  const std::string builds = content_of(log);
  EXPECT_EQ(std::count(builds.begin(), builds.end(), '\n'), 1);
  EXPECT_EQ(open().stats()->hits, 3u);
  EXPECT_EQ(open().stats()->misses, 1u);
}

TEST_F(CacheFaultsTest, TheNextOneBuildsWhenABuilderDies) {
  Cache cache = open();
  const std::string started = scratch_->file("started");
  const pid_t child = ::fork();
  if (child == 0) {
    (void)cache.get_or_make(key_for("m"), [&](const std::string& folder, const CancelToken&) -> Result<ManifestDraft> {
      testing::write_plain(folder + "/half", "half");
      testing::write_plain(started, "");
      for (;;) ::pause();
    });
  }
  while (!std::filesystem::exists(started)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  bool waited = false;
  MakeOptions options;
  options.progress = [&](const std::string&, double) {
    if (!waited) ::kill(child, SIGKILL);
    waited = true;
  };
  AXLE_ASSERT_OK_AND_ASSIGN(const Lease lease, cache.get_or_make(key_for("m"), builder({"whole"}), options));
  EXPECT_TRUE(waited);
  EXPECT_TRUE(lease.built());
  EXPECT_EQ(text_of(lease.blobs()[0]), "whole");
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/store-1/scratch")) << "the dead builder's folder was swept";
}

TEST_F(CacheFaultsTest, ALeaseInAnotherProcessHoldsItsEntry) {
  Cache cache = open();
  const std::string ready = scratch_->file("ready");
  {
    ASSERT_THAT(cache.get_or_make(key_for("m"), builder({"x"})), IsOk());
  }
  const pid_t child = ::fork();
  if (child == 0) {
    auto lookup = cache.find(key_for("m"));
    testing::write_plain(ready, "");
    for (;;) ::pause();
  }
  while (!std::filesystem::exists(ready)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(cache.gc(0)->in_use_entries, 1u);
  EXPECT_EQ(cache.rm("*")->in_use_entries, 1u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(cache.gc(0)->removed_entries, 1u);
}

}  // namespace
}  // namespace axle
