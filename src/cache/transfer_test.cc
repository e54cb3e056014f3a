// Entries in one file: out of one cache and into another.
#include <gmock/gmock.h>

#include "cache/archive.h"
#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::builder;
using testing::CacheTest;
using testing::content_of;
using testing::DiskFaults;
using testing::files_under;
using testing::IsOk;
using testing::key_for;
using testing::StatusIs;
using testing::text_of;
using testing::write_plain;

class TransferTest : public CacheTest {
 protected:
  void SetUp() override {
    CacheTest::SetUp();
    Cache cache = open();
    ASSERT_THAT(cache.get_or_make(key_for("m1"), builder({"weights", "../../../escape"})).status(), IsOk());
    ASSERT_THAT(cache.get_or_make(key_for("m2"), builder({"weights", "code of m2"})).status(), IsOk());
    archive_ = scratch_->file("archive.axc");
  }
  Cache other(uint64_t max_bytes = 1 << 20) {
    auto cache = Cache::open({scratch_->file("other"), max_bytes});
    EXPECT_TRUE(cache.ok()) << cache.status().to_string();
    return *std::move(cache);
  }
  void export_all() { ASSERT_THAT(open().export_archive(archive_).status(), IsOk()); }

  std::string archive_;
};

TEST_F(TransferTest, CarriesEntriesToAnotherCache) {
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheTransferReport out, open().export_archive(archive_));
  EXPECT_EQ(out.entries, 2u);
  EXPECT_EQ(out.bytes, std::string("weights../../../escapecode of m2").size());  // the shared blob once
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheTransferReport in, other().import_archive(archive_));
  EXPECT_EQ(in.entries, 2u);
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup found, other().find(key_for("m2"), {.verify = true}));
  ASSERT_TRUE(found.hit()) << found.miss_reason;
  EXPECT_EQ(text_of(*found.lease->find_blob("blob1")), "code of m2");
  EXPECT_EQ(found.lease->compatibility_json(), R"({"abi":7})");
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheTransferReport again, other().import_archive(archive_));
  EXPECT_EQ(again.entries, 0u);
  EXPECT_EQ(again.already_there, 2u);
  EXPECT_TRUE(other().verify()->problems.empty());
}

TEST_F(TransferTest, ExportsWhatIsNamed) {
  const std::string key = key_for("m1").digest();
  AXLE_ASSERT_OK_AND_ASSIGN(const CacheTransferReport out, open().export_archive(archive_, {key.substr(7, 12)}));
  EXPECT_EQ(out.entries, 1u);
  ASSERT_THAT(other().import_archive(archive_).status(), IsOk());
  ASSERT_EQ(other().ls()->size(), 1u);
  EXPECT_EQ(other().ls()->front().key_digest, key);
  std::filesystem::remove(archive_);
  EXPECT_THAT(open().export_archive(archive_, {"ffff00000000"}), StatusIs(StatusCode::kNotFound, "ffff00000000"));
  EXPECT_THAT(open().export_archive(archive_, {""}), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(other().import_archive(archive_), StatusIs(StatusCode::kNotFound));
  EXPECT_FALSE(std::filesystem::exists(archive_));
}

TEST_F(TransferTest, ADamagedEntryIsNotExported) {
  for (const std::string& file : files_under(folder_ + "/store-1/objects")) {
    if (content_of(file) == "code of m2") testing::overwrite(file, "c0de of m2");
  }
  EXPECT_THAT(open().export_archive(archive_), StatusIs(StatusCode::kDataLoss, "damaged"));
  EXPECT_FALSE(std::filesystem::exists(archive_));
}

TEST_F(TransferTest, AFlippedBitPlacesNothing) {
  export_all();
  const std::string good = content_of(archive_);
  for (size_t byte = 0; byte < good.size(); byte += byte + 200 < good.size() ? 7 : 1) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 8)));
    write_plain(archive_, bad);
    EXPECT_FALSE(other().import_archive(archive_).ok()) << byte;
    EXPECT_TRUE(other().ls()->empty()) << byte;
  }
  EXPECT_TRUE(files_under(scratch_->file("other") + "/store-1/objects").empty());
  EXPECT_TRUE(files_under(scratch_->file("other") + "/store-1/scratch").empty());
  write_plain(archive_, good);
  EXPECT_THAT(other().import_archive(archive_).status(), IsOk());
}

TEST_F(TransferTest, EveryCutAndEveryTailIsRefused) {
  export_all();
  const std::string good = content_of(archive_);
  for (size_t size = 0; size < good.size(); size += size < 64 || size + 64 > good.size() ? 1 : 13) {
    EXPECT_FALSE(parse_archive(std::string_view(good).substr(0, size)).ok()) << size;
  }
  EXPECT_THAT(parse_archive(good + "x"), StatusIs(StatusCode::kDataLoss, "1 bytes follow its end"));
  EXPECT_THAT(parse_archive("axle-cache-archive 2\n" + good.substr(21)), StatusIs(StatusCode::kDataLoss, "does not begin"));
  EXPECT_THAT(parse_archive("axle-cache-archive 1\n999999999\n"), StatusIs(StatusCode::kDataLoss, "cut off"));
  EXPECT_THAT(parse_archive("axle-cache-archive 1\n-1\n"), StatusIs(StatusCode::kDataLoss, "no length"));
  EXPECT_THAT(parse_archive(good), IsOk());
}

TEST_F(TransferTest, NamesOfBlobsAreNeverPaths) {
  Manifest manifest;
  manifest.key = key_for("evil");
  manifest.blobs = {{"../../../../evil", "bytes", sha256_of(std::string_view("payload")), 7},
                    {"/etc/evil", "bytes", sha256_of(std::string_view("payload")), 7}};
  EXPECT_THAT(archive_head({manifest}), StatusIs(StatusCode::kInvalidArgument, "no file name"));
  // Reading such a manifest is refused too: Manifest.ReadsStrictlyBehindTheSeal. What is a file name names no file of the store.
  manifest.blobs = {{"evil", "bytes", sha256_of(std::string_view("payload")), 7}};
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string head, archive_head({manifest}));
  write_plain(archive_, head + "payload");
  ASSERT_THAT(other().import_archive(archive_).status(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lookup found, other().find(key_for("evil")));
  ASSERT_TRUE(found.hit());
  EXPECT_TRUE(found.lease->find_blob("evil")->path.starts_with(scratch_->file("other") + "/store-1/objects/"));
  for (const std::string& file : files_under(scratch_->path())) EXPECT_EQ(file.find("evil"), std::string::npos) << file;
}

TEST_F(TransferTest, AFileThatOthersMayWriteIsRefused) {
  export_all();
  ASSERT_EQ(::chmod(archive_.c_str(), 0666), 0);
  EXPECT_THAT(other().import_archive(archive_), StatusIs(StatusCode::kPermissionDenied, "others may write"));
  EXPECT_TRUE(other().ls()->empty());
}

TEST_F(TransferTest, AFullDiskLeavesNoHalf) {
  export_all();
  Cache target = other();
  DiskFaults::arm(-1, ENOSPC);
  {
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir trial, ScratchDir::create());
    ASSERT_THAT(Cache::open({trial.file("c"), 1 << 20})->import_archive(archive_).status(), IsOk());
  }
  const int steps = DiskFaults::disarm();
  ASSERT_GT(steps, 10);
  for (int at = 0; at < steps; ++at) {
    DiskFaults::arm(at, ENOSPC);
    (void)target.import_archive(archive_);
    DiskFaults::disarm();
    for (const char* model : {"m1", "m2"}) {
      AXLE_ASSERT_OK_AND_ASSIGN(const Lookup found, target.find(key_for(model), {.verify = true}));
      EXPECT_TRUE(found.hit() || found.miss_reason == "not in the cache") << at << ": " << found.miss_reason;
    }
    (void)target.rm("*");
  }
  EXPECT_THAT(target.import_archive(archive_).status(), IsOk());
}

TEST_F(TransferTest, MoreThanTheCacheMayHoldIsRefused) {
  export_all();
  EXPECT_THAT(other(16).import_archive(archive_), StatusIs(StatusCode::kResourceExhausted, "the cache may hold"));
  Cache reader = open(1 << 20, true);
  EXPECT_THAT(reader.import_archive(archive_), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(TransferTest, PinnedEntriesOutliveCollection) {
  Cache cache = open();
  ASSERT_THAT(cache.set_pinned(key_for("m1").digest(), true), IsOk());
  ASSERT_THAT(cache.gc(0).status(), IsOk());
  ASSERT_EQ(cache.ls()->size(), 1u);
  EXPECT_TRUE(cache.ls()->front().pinned);
}

}  // namespace
}  // namespace axle
