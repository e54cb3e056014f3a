#include "base/hash.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <unordered_set>

#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOkAndHolds;
using testing::StatusIs;

// FIPS 180-4 examples.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256_of("").to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of("abc").to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  EXPECT_EQ(Sha256().update("a").update("").update("bc").finish(), sha256_of("abc"));
}

TEST(Sha256, FieldsCannotBeReadTwoWays) {
  EXPECT_NE(Sha256().update_field("ab").update_field("c").finish(), Sha256().update_field("a").update_field("bc").finish());
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  const std::string content(3'000'000, 'x');
  ASSERT_TRUE(write_file_atomic(folder.file("f"), content).ok());
  EXPECT_THAT(sha256_of_file(folder.file("f")), IsOkAndHolds(sha256_of(content)));
}

TEST(Sha256, OfAFileRefusesWhatIsNoFile) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  EXPECT_THAT(sha256_of_file(folder.file("absent")), StatusIs(StatusCode::kNotFound, "absent"));
  EXPECT_THAT(sha256_of_file(folder.path()), StatusIs(StatusCode::kInvalidArgument, "not a regular file"));
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_THAT(sha256_of_file(folder.file("pipe")), StatusIs(StatusCode::kInvalidArgument, "not a regular file"));
}

TEST(Sha256, OfAFileCanBeCancelled) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  ASSERT_TRUE(write_file_atomic(folder.file("f"), "x").ok());
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THAT(sha256_of_file(folder.file("f"), cancel), StatusIs(StatusCode::kCancelled));
}

TEST(Digest, TextRoundTrips) {
  const Digest digest = sha256_of("abc");
  EXPECT_THAT(Digest::parse(digest.to_string()), IsOkAndHolds(digest));
  EXPECT_EQ(digest.short_text(), "ba7816bf8f01");
  EXPECT_FALSE(digest.empty());
  EXPECT_TRUE(Digest().empty());
  EXPECT_EQ(std::unordered_set<Digest>({digest, digest, Digest()}).size(), 2u);
}

TEST(Digest, ParseIsStrict) {
  const std::string good = sha256_of("abc").to_string();
  std::string upper = good;
  upper[10] = 'F';
  for (const std::string& bad :
       {std::string(), good.substr(7), good + "0", good.substr(0, 70), upper, "sha512" + good.substr(6)}) {
    EXPECT_THAT(Digest::parse(bad), StatusIs(StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace axle
