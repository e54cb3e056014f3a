#include "cache/manifest.h"

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"
#include "cache/sealed.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

Manifest sample() {
  Manifest manifest;
  manifest.key.model_digest = "sha256:m";
  manifest.key.engine = "fake";
  manifest.key.options = {{"a", "1"}, {"b", "\"quoted\""}};
  manifest.key.library_digests = {{"lib", "sha256:l"}};
  manifest.key.threads = 4;
  manifest.blobs = {{"model", "bytes", sha256_of("x"), 1}, {"weights", "bytes", sha256_of("yy"), 2}};
  manifest.compatibility_json = R"({"abi":[1,2]})";
  manifest.created_unix_s = 1700000000;
  return manifest;
}

// A manifest text with a right seal around any payload.
std::string sealed(const std::string& from, const std::string& to) {
  std::string text = *manifest_to_text(sample());
  std::string payload(*unseal(kManifestKind, text));
  const size_t at = payload.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return seal(kManifestKind, payload.replace(at, from.size(), to));
}

TEST(Manifest, ReadsBack) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, manifest_to_text(sample()));
  AXLE_ASSERT_OK_AND_ASSIGN(const Manifest read, parse_manifest(text));
  EXPECT_EQ(read, sample());
  EXPECT_EQ(read.size_bytes(), 3u);
  EXPECT_EQ(*manifest_to_text(read), text);
}

TEST(Manifest, AnyFlippedBitIsRefused) {
  const std::string good = *manifest_to_text(sample());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_THAT(parse_manifest(bad), StatusIs(StatusCode::kDataLoss)) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_manifest(good.substr(0, size)).ok());
  EXPECT_FALSE(parse_manifest(good + " ").ok());
}

TEST(Manifest, ReadsStrictlyBehindTheSeal) {
  EXPECT_THAT(parse_manifest(sealed("\"blobs\":", "\"blob\":1,\"blobs\":")), StatusIs(StatusCode::kInvalidArgument, "blob"));
  EXPECT_THAT(parse_manifest(sealed("\"size_bytes\":1", "\"size_bytes\":-1")),
              StatusIs(StatusCode::kInvalidArgument, "negative"));
  EXPECT_THAT(parse_manifest(sealed("\"size_bytes\":1", "\"size_bytes\":9223372036854775807")),
              StatusIs(StatusCode::kInvalidArgument, "add up"));
  EXPECT_THAT(parse_manifest(sealed("sha256:" + sha256_of("x").hex(), "sha256:../../x")),
              StatusIs(StatusCode::kInvalidArgument, "digest"));
  EXPECT_THAT(parse_manifest(sealed("\"name\":\"weights\"", "\"name\":\"model\"")),
              StatusIs(StatusCode::kInvalidArgument, "two blobs"));
  for (const char* name : {"../x", "/etc/x", "..", ".", "a\\u0000b"}) {
    EXPECT_THAT(parse_manifest(sealed("\"name\":\"weights\"", std::string("\"name\":\"") + name + "\"")),
                StatusIs(StatusCode::kInvalidArgument, "no file name"))
        << name;
  }
  EXPECT_THAT(parse_manifest(sealed("\"threads\":4", "\"threads\":4294967296")),
              StatusIs(StatusCode::kInvalidArgument, "threads"));
  EXPECT_THAT(parse_manifest(sealed("\"a\":\"1\"", "\"a\":1")), StatusIs(StatusCode::kInvalidArgument, "string"));
  EXPECT_THAT(parse_manifest(sealed("{\"abi\":[1,2]}", "[1]")), StatusIs(StatusCode::kInvalidArgument, "compatibility"));
}

TEST(Manifest, RefusesTooManyBlobs) {
  Manifest manifest = sample();
  for (size_t i = 0; i < kMaxBlobs; ++i) manifest.blobs.push_back({"b" + std::to_string(i), "t", sha256_of("x"), 1});
  EXPECT_THAT(manifest_to_text(manifest), StatusIs(StatusCode::kInvalidArgument, "limit"));
}

TEST(Seal, OpensOnlyItsOwnKind) {
  const std::string text = seal("axle-x 1", "payload");
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string_view payload, unseal("axle-x 1", text));
  EXPECT_EQ(payload, "payload");
  EXPECT_FALSE(unseal("axle-x 2", text).ok());
  EXPECT_FALSE(unseal("axle-x 1", "").ok());
  EXPECT_EQ(*unseal("axle-x 1", seal("axle-x 1", "")), "");
}

}  // namespace
}  // namespace axle
