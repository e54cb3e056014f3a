// SHA-256 (FIPS 180-4, through OpenSSL) and Digest, its value type. Digests are how axle names content.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "axle/cancel.h"
#include "axle/status.h"

struct SHA256state_st;

namespace axle {

// 32 bytes; all zero = no digest. Text form "sha256:" and 64 lower-case hex digits.
class Digest {
 public:
  Digest() noexcept = default;
  explicit Digest(const std::array<uint8_t, 32>& bytes) noexcept : bytes_(bytes) {}
  // INVALID_ARGUMENT when `text` is not exactly that text form.
  static Result<Digest> parse(std::string_view text);

  bool empty() const noexcept { return *this == Digest(); }
  const std::array<uint8_t, 32>& bytes() const noexcept { return bytes_; }
  std::string to_string() const;
  // 64 hex digits alone: for file names.
  std::string hex() const;
  // The first 12 hex digits: for people.
  std::string short_text() const { return hex().substr(0, 12); }

  friend auto operator<=>(const Digest&, const Digest&) = default;
  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  std::array<uint8_t, 32> bytes_{};
};

// Streaming: update() any number of times, then finish() once. One thread at a time.
class Sha256 {
 public:
  Sha256();
  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  // Length-prefixed, so that a sequence of fields cannot be read two ways.
  Sha256& update_field(std::string_view text);
  Digest finish();

 private:
  struct Free {
    void operator()(SHA256state_st* state) const noexcept;
  };
  std::unique_ptr<SHA256state_st, Free> state_;  // null once finished
};

Digest sha256_of(std::span<const std::byte> bytes);
Digest sha256_of(std::string_view text);
// Reads the file in pieces; checks `cancel` between them. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (not a regular file).
Result<Digest> sha256_of_file(const std::string& path, const CancelToken& cancel = CancelToken::none());

}  // namespace axle

template <>
struct std::hash<axle::Digest> {
  size_t operator()(const axle::Digest& digest) const noexcept;
};
