#include "base/hash.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/errno_status.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace axle {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr size_t kPieceBytes = 1u << 20;

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  const auto refuse = [&] {
    return invalid_argument_error(fmt::format("\"{}\" is not a digest", printable(text, 80)))
        .with_hint("a digest is \"sha256:\" and 64 lower-case hex digits");
  };
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 64) return refuse();
  std::array<uint8_t, 32> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_digit(text[kPrefix.size() + 2 * i]);
    const int low = hex_digit(text[kPrefix.size() + 2 * i + 1]);
    if (high < 0 || low < 0) return refuse();
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return Digest(bytes);
}

std::string Digest::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(64);
  for (const uint8_t byte : bytes_) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

std::string Digest::to_string() const { return std::string(kPrefix) + hex(); }

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  AXLE_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "OpenSSL offers no SHA-256");
}

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  AXLE_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "SHA-256 used after finish()");
  return *this;
}

Sha256& Sha256::update(std::string_view text) { return update(std::as_bytes(std::span(text))); }

Sha256& Sha256::update_field(std::string_view text) {
  const auto size = static_cast<uint64_t>(text.size());
  std::array<std::byte, 8> prefix;
  for (size_t i = 0; i < prefix.size(); ++i) prefix[i] = static_cast<std::byte>(size >> (8 * i));
  return update(prefix).update(text);
}

Digest Sha256::finish() {
  std::array<uint8_t, 32> bytes{};
  AXLE_CHECK(EVP_DigestFinal_ex(context_.get(), bytes.data(), nullptr) == 1, "SHA-256 finished twice");
  return Digest(bytes);
}

Digest sha256_of(std::span<const std::byte> bytes) { return Sha256().update(bytes).finish(); }
Digest sha256_of(std::string_view text) { return Sha256().update(text).finish(); }

Result<Digest> sha256_of_file(const std::string& path, const CancelToken& cancel) {
  // O_NONBLOCK: opening a FIFO must not hang.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return errno_status(errno, fmt::format("cannot read {}", path));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return errno_status(errno, fmt::format("cannot read {}", path));
  if (!S_ISREG(status.st_mode)) return invalid_argument_error(fmt::format("{} is not a regular file", path));
  Sha256 hash;
  std::vector<std::byte> piece(kPieceBytes);
  for (;;) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status(errno, fmt::format("cannot read {}", path));
    if (got == 0) return hash.finish();
    hash.update(std::span(piece).first(static_cast<size_t>(got)));
  }
}

}  // namespace axle

size_t std::hash<axle::Digest>::operator()(const axle::Digest& digest) const noexcept {
  size_t value = 0;
  std::memcpy(&value, digest.bytes().data(), sizeof value);
  return value;
}
