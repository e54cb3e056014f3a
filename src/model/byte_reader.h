// A bounds-checked cursor over little-endian bytes. The first read past the end sticks: later reads give zeros and ok() is false.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace axle {

static_assert(std::endian::native == std::endian::little, "formats are read in place");

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, uint64_t position = 0) noexcept : bytes_(bytes) { seek(position); }

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  T read() noexcept {
    T value{};
    if (const auto bytes = take(sizeof(T)); bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  // Empty when fewer than `size` bytes are left.
  std::span<const std::byte> take(uint64_t size) noexcept {
    if (!ok_ || size > bytes_.size() - position_) {
      ok_ = false;
      return {};
    }
    const auto out = bytes_.subspan(position_, static_cast<size_t>(size));
    position_ += static_cast<size_t>(size);
    return out;
  }

  std::string_view text(uint64_t size) noexcept {
    const auto bytes = take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void seek(uint64_t position) noexcept {
    ok_ = ok_ && position <= bytes_.size();
    if (ok_) position_ = static_cast<size_t>(position);
  }

  bool ok() const noexcept { return ok_; }
  uint64_t position() const noexcept { return position_; }
  uint64_t left() const noexcept { return bytes_.size() - position_; }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace axle
