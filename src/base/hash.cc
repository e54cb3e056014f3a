// The functions of this one algorithm: the interface over all of them (EVP) reads OpenSSL's configuration and registers every algorithm at first
// use, which is a tenth of a short command.
#define OPENSSL_API_COMPAT 10101

#include "base/hash.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/sha.h>
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

void Sha256::Free::operator()(SHA256state_st* state) const noexcept { delete state; }

Sha256::Sha256() : state_(new SHA256state_st) { SHA256_Init(state_.get()); }

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  AXLE_CHECK(state_ && SHA256_Update(state_.get(), bytes.data(), bytes.size()) == 1, "SHA-256 used after finish()");
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
  AXLE_CHECK(state_ && SHA256_Final(bytes.data(), state_.get()) == 1, "SHA-256 finished twice");
  state_.reset();
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
