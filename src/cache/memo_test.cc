#include "cache/memo.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <thread>

#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::CacheTest;
using testing::content_of;
using testing::files_under;
using testing::IsOk;
using testing::make_old;
using testing::overwrite;
using ::testing::SizeIs;
using testing::StatusIs;
using testing::write_plain;

class MemoTest : public CacheTest {
 protected:
  Memo memo(MemoLimits limits = {}) { return Memo(folder_, false, limits); }
};

TEST_F(MemoTest, RemembersByKindAndKey) {
  Memo memo = this->memo();
  EXPECT_EQ(memo.get("plan", "a"), std::nullopt);
  ASSERT_THAT(memo.put("plan", "a", "{\"x\":1}\nmore"), IsOk());
  ASSERT_THAT(memo.put("io", "a", ""), IsOk());
  EXPECT_EQ(memo.get("plan", "a"), "{\"x\":1}\nmore");
  EXPECT_EQ(memo.get("io", "a"), "");
  EXPECT_EQ(memo.get("plan", "b"), std::nullopt);
  ASSERT_THAT(memo.put("plan", "a", "new"), IsOk());
  EXPECT_EQ(this->memo().get("plan", "a"), "new");
  EXPECT_EQ(memo.usage()->entries, 2u);
  ASSERT_THAT(memo.remove("plan", "a"), IsOk());
  ASSERT_THAT(memo.remove("plan", "a"), IsOk());
  EXPECT_EQ(memo.get("plan", "a"), std::nullopt);
  ASSERT_THAT(memo.clear(), IsOk());
  EXPECT_EQ(memo.usage()->entries, 0u);
}

TEST_F(MemoTest, RefusesWhatItCannotName) {
  Memo memo = this->memo({.max_value_bytes = 10});
  EXPECT_THAT(memo.put("", "k", "v"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(memo.put("../x", "k", "v"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(memo.put("plan", "two\nlines", "v"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(memo.put("plan", "k", "12345678901"), StatusIs(StatusCode::kInvalidArgument, "11 bytes"));
  EXPECT_THAT(Memo(folder_, true).put("plan", "k", "v"), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(MemoTest, AnyFlippedBitMakesItForgotten) {
  Memo memo = this->memo();
  ASSERT_THAT(memo.put("plan", "key", "value"), IsOk());
  const std::string file = files_under(folder_).at(0);
  const std::string good = content_of(file);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    write_plain(file, bad);
    EXPECT_EQ(memo.get("plan", "key"), std::nullopt) << bit;
  }
  write_plain(file, good);
  EXPECT_EQ(memo.get("plan", "key"), "value");
}

TEST_F(MemoTest, AFileUnderAnotherNameIsNotBelieved) {
  Memo memo = this->memo();
  ASSERT_THAT(memo.put("plan", "a", "of a"), IsOk());
  const std::string of_a = content_of(files_under(folder_).at(0));
  ASSERT_THAT(memo.put("plan", "b", "of b"), IsOk());
  for (const std::string& file : files_under(folder_)) write_plain(file, of_a);
  EXPECT_EQ(memo.get("plan", "a"), "of a");
  EXPECT_EQ(memo.get("plan", "b"), std::nullopt);
  int bad = 0;
  EXPECT_EQ(*memo.verify([&](const std::string&, const std::string&) { ++bad; }), 2u);
  EXPECT_EQ(bad, 1);
}

TEST_F(MemoTest, StaysWithinItsBounds) {
  Memo memo = this->memo({.max_files_per_folder = 8, .max_bytes_per_folder = 4000});
  for (int i = 0; i < 600; ++i) {
    const std::string key = std::to_string(i);
    ASSERT_THAT(memo.put("plan", key, std::string(static_cast<size_t>(i), 'x')), IsOk());
    ASSERT_TRUE(memo.get("plan", key)) << "the newest stays";
  }
  EXPECT_LE(memo.usage()->entries, 16u * 8);
  EXPECT_LE(memo.usage()->bytes, 16u * 4000);
}

TEST_F(MemoTest, SweepsWhatDeadWritersLeft) {
  Memo memo = this->memo();
  ASSERT_THAT(memo.put("plan", "k", "v"), IsOk());
  const std::string folder = files_under(folder_).at(0).substr(0, folder_.size() + 2);
  write_plain(folder + "/.tmp-1-old", "x");
  make_old(folder + "/.tmp-1-old");
  write_plain(folder + "/.tmp-1-new", "x");
  ASSERT_THAT(memo.sweep(), IsOk());
  EXPECT_FALSE(std::filesystem::exists(folder + "/.tmp-1-old"));
  EXPECT_TRUE(std::filesystem::exists(folder + "/.tmp-1-new"));
  EXPECT_EQ(memo.get("plan", "k"), "v");
}

TEST_F(MemoTest, WritersAndReadersMayRace) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Memo memo = this->memo({.max_files_per_folder = 4});
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string(i % 20);
        ASSERT_THAT(memo.put("plan", key, key + " " + std::string(static_cast<size_t>(t * 100), 'x')), IsOk());
        const auto value = memo.get("plan", key);
        EXPECT_TRUE(!value || value->starts_with(key + " ")) << *value;
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(MemoTest, DigestIsRememberedOnlyForASettledStamp) {
  Memo memo = this->memo();
  const std::string file = scratch_->file("weights");
  write_plain(file, "weights");
  AXLE_ASSERT_OK_AND_ASSIGN(const StampedDigest fresh, stamped_digest(&memo, file));
  EXPECT_EQ(fresh.digest, sha256_of("weights"));
  EXPECT_FALSE(stamped_digest(&memo, file)->remembered);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  EXPECT_FALSE(stamped_digest(&memo, file)->remembered);
  EXPECT_TRUE(stamped_digest(&memo, file)->remembered);
  EXPECT_EQ(stamped_digest(&memo, file)->digest, sha256_of("weights"));
  EXPECT_FALSE(stamped_digest(&memo, file, true)->remembered);
  EXPECT_FALSE(stamped_digest(nullptr, file)->remembered);
  // Same size, same mtime, other content.
  struct stat before{};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  write_plain(file, "WEIGHTS");
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  EXPECT_EQ(stamped_digest(&memo, file)->digest, sha256_of("WEIGHTS"));
  EXPECT_THAT(stamped_digest(&memo, scratch_->file("absent")), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace axle
