#include "cache/append_log.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <map>
#include <thread>

#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::CacheTest;
using testing::content_of;
using testing::DiskFaults;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;
using testing::write_plain;

class AppendLogTest : public CacheTest {
 protected:
  AppendLog log(uint64_t max_bytes = 1 << 20) { return AppendLog(path(), "test 1", max_bytes); }
  std::string path() { return scratch_->file("test.log"); }
  std::vector<std::string> records(const AppendLog& from, LogScan* scan = nullptr) {
    std::vector<std::string> found;
    auto result = from.read([&](std::string_view payload) { found.emplace_back(payload); });
    EXPECT_TRUE(result.ok()) << result.status().to_string();
    if (scan && result.ok()) *scan = *result;
    return found;
  }
};

TEST_F(AppendLogTest, ReadsWhatWasAppendedInOrder) {
  EXPECT_THAT(records(log()), IsEmpty());
  ASSERT_THAT(log().append({"one", "two words"}), IsOk());
  ASSERT_THAT(log().append({}), IsOk());
  ASSERT_THAT(log().append({"three"}), IsOk());
  EXPECT_THAT(records(log()), ElementsAre("one", "two words", "three"));
  EXPECT_EQ(log().size_bytes(), content_of(path()).size());
}

TEST_F(AppendLogTest, PassesOverWhatIsNotWanted) {
  ASSERT_THAT(log().append({"a 1", "b 2", "a 3"}), IsOk());
  std::vector<std::string> found;
  ASSERT_THAT(log().read([&](std::string_view payload) { found.emplace_back(payload); },
                         [](std::string_view payload) { return payload.starts_with("a"); }),
              IsOk());
  EXPECT_THAT(found, ElementsAre("a 1", "a 3"));
}

TEST_F(AppendLogTest, RefusesWhatIsNoLine) {
  EXPECT_THAT(log().append({"ok", "two\nlines"}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(log().append({""}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(log(20).append({"12345678"}), StatusIs(StatusCode::kResourceExhausted, "limit"));
  EXPECT_THAT(records(log()), IsEmpty());
}

TEST_F(AppendLogTest, AnotherKindsRecordsAreNotItsOwn) {
  ASSERT_THAT(AppendLog(path(), "test 2", 1000).append({"x"}), IsOk());
  LogScan scan;
  EXPECT_THAT(records(log(), &scan), IsEmpty());
  EXPECT_EQ(scan.bad, 1u);
}

TEST_F(AppendLogTest, AnyDamageCostsOnlyTheLinesItTouches) {
  ASSERT_THAT(log().append({"first", "second", "third"}), IsOk());
  const std::string good = content_of(path());
  for (size_t byte = 0; byte < good.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[byte] = static_cast<char>(bad[byte] ^ (1 << bit));
      write_plain(path(), bad);
      const auto found = records(log());
      // A damaged line end takes the line after it along.
      EXPECT_GE(found.size(), good[byte] == '\n' && byte + 1 < good.size() ? 1u : 2u) << byte;
      for (const std::string& record : found)
        EXPECT_TRUE(record == "first" || record == "second" || record == "third") << record;
      EXPECT_GE(*log().count_bad(), 1u) << byte;
    }
  }
}

TEST_F(AppendLogTest, TornTailIsCutOffByTheNextAppend) {
  ASSERT_THAT(log().append({"first", "second"}), IsOk());
  const std::string good = content_of(path());
  for (size_t size = 0; size < good.size(); ++size) {
    write_plain(path(), good.substr(0, size));
    ASSERT_THAT(log().append({"next"}), IsOk());
    LogScan scan;
    const auto found = records(log(), &scan);
    EXPECT_EQ(found.back(), "next");
    EXPECT_EQ(found.size(), 1u + static_cast<size_t>(std::count(good.begin(), good.begin() + static_cast<long>(size), '\n')));
    EXPECT_EQ(scan.bad, 0u);
  }
}

TEST_F(AppendLogTest, TornTailLongerThanOneReadIsCutOffToo) {
  ASSERT_THAT(log().append({"first"}), IsOk());
  write_plain(path(), content_of(path()) + std::string(10'000, 'x'));
  ASSERT_THAT(log().append({"next"}), IsOk());
  EXPECT_THAT(records(log()), ElementsAre("first", "next"));
}

TEST_F(AppendLogTest, FullDiskLeavesTheLogAsItWas) {
  ASSERT_THAT(log().append({"first"}), IsOk());
  const std::string before = content_of(path());
  for (int at = 0, steps = 1; at < steps; ++at) {
    DiskFaults::arm(at, ENOSPC);
    const Status done = log().append({"second"});
    steps = DiskFaults::disarm() + 1;
    if (done.ok()) break;
    EXPECT_THAT(done, StatusIs(StatusCode::kResourceExhausted, "test.log"));
    EXPECT_EQ(content_of(path()), before);
  }
  EXPECT_THAT(records(log()), ElementsAre("first", "second"));
  const std::string two = content_of(path());
  int failures = 0;
  for (int at = 0, steps = 1; at < steps; ++at) {
    DiskFaults::arm(at, ENOSPC);
    const Status done = log().rewrite([](const auto&) { return std::vector<std::string>{"only"}; });
    steps = DiskFaults::disarm() + 1;
    if (done.ok()) break;
    ++failures;
    EXPECT_EQ(content_of(path()), two) << at;
  }
  EXPECT_GE(failures, 4);
  EXPECT_THAT(records(log()), ElementsAre("only"));
}

TEST_F(AppendLogTest, RewriteToNothingRemovesTheFile) {
  ASSERT_THAT(log().append({"x"}), IsOk());
  ASSERT_THAT(log().rewrite([](const auto&) { return std::vector<std::string>(); }), IsOk());
  EXPECT_FALSE(std::filesystem::exists(path()));
  ASSERT_THAT(log().append({"y"}), IsOk());
  EXPECT_THAT(records(log()), ElementsAre("y"));
}

// Appends race with rewrites, in threads and processes: none is lost, none doubled, each writer's stay in order.
TEST_F(AppendLogTest, NoAppendIsLostToARewrite) {
  constexpr int kProcesses = 2, kThreads = 2, kEach = 60;
  std::vector<pid_t> children;
  for (int c = 0; c < kProcesses; ++c) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0; i < kEach; ++i) {
        if (!log().append({"p" + std::to_string(c) + " " + std::to_string(i)}).ok()) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ASSERT_THAT(log().append({"t" + std::to_string(t) + " " + std::to_string(i)}), IsOk());
        if (i % 5 != 0) continue;
        ASSERT_THAT(log().rewrite([](auto payloads) { return payloads; }), IsOk());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  std::map<std::string, int> next;
  LogScan scan;
  for (const std::string& record : records(log(), &scan)) {
    const size_t space = record.find(' ');
    EXPECT_EQ(std::stoi(record.substr(space)), next[record.substr(0, space)]++);
  }
  EXPECT_EQ(scan.records, static_cast<uint64_t>((kProcesses + kThreads) * kEach));
  EXPECT_EQ(scan.bad, 0u);
}

TEST_F(AppendLogTest, WritersKilledAtRandomLoseAtMostTheirLastRecord) {
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0;; ++i) {
        if (!log(64 << 20).append({std::to_string(round) + " " + std::to_string(i) + std::string(200, 'x')}).ok()) ::_exit(1);
      }
    }
    ::usleep(static_cast<useconds_t>(round * 97 % 3000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  ASSERT_THAT(log(64 << 20).append({"last"}), IsOk());
  LogScan scan;
  const auto found = records(log(64 << 20), &scan);
  EXPECT_EQ(scan.bad, 0u);
  std::map<std::string, int> next;
  for (const std::string& record : found) {
    const size_t space = record.find(' ');
    if (space == std::string::npos) continue;
    EXPECT_EQ(std::stoi(record.substr(space)), next[record.substr(0, space)]++);
  }
}

}  // namespace
}  // namespace axle
