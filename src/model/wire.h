// A bounds-checked walker over protobuf wire format, for messages of which only a few fields matter. Views, no copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace axle {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t value = 0;                 // kVarint, kFixed64, kFixed32
  std::span<const std::byte> bytes;   // kBytes: the payload
  uint64_t offset = 0;                // of the payload, from the start of the outermost message
  std::span<const std::byte> raw;     // tag and payload as they stand in the file

  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

// Why a walk stopped before the end.
enum class WireFault : uint8_t { kNone, kTruncated, kMalformed };

class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> message, uint64_t base_offset = 0) noexcept
      : message_(message), base_(base_offset) {}

  // The next field; false at the end or on a fault.
  bool next(WireField& field) noexcept;

  WireFault fault() const noexcept { return fault_; }
  uint64_t fault_offset() const noexcept { return base_ + position_; }
  // Bytes that the truncated field claims; 0 when not known.
  uint64_t claimed_bytes() const noexcept { return claimed_; }

 private:
  bool read_varint(uint64_t& value) noexcept;
  bool read_fixed(size_t size, uint64_t& value) noexcept;
  bool fail(WireFault fault, uint64_t claimed = 0) noexcept;

  std::span<const std::byte> message_;
  uint64_t base_ = 0;
  size_t position_ = 0;
  uint64_t claimed_ = 0;
  WireFault fault_ = WireFault::kNone;
};

}  // namespace axle
