#include "model/wire.h"

namespace axle {

bool WireReader::fail(WireFault fault, uint64_t claimed) noexcept {
  fault_ = fault;
  claimed_ = claimed;
  return false;
}

bool WireReader::read_varint(uint64_t& value) noexcept {
  value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (position_ == message_.size()) return fail(WireFault::kTruncated);
    const auto byte = static_cast<uint8_t>(message_[position_++]);
    if (shift == 63 && byte > 1) return fail(WireFault::kMalformed);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return fail(WireFault::kMalformed);
}

bool WireReader::read_fixed(size_t size, uint64_t& value) noexcept {
  if (message_.size() - position_ < size) return fail(WireFault::kTruncated, size);
  value = 0;
  for (size_t i = 0; i < size; ++i) value |= static_cast<uint64_t>(message_[position_ + i]) << (8 * i);
  position_ += size;
  return true;
}

bool WireReader::next(WireField& field) noexcept {
  if (fault_ != WireFault::kNone || position_ == message_.size()) return false;
  const size_t start = position_;
  uint64_t tag = 0;
  if (!read_varint(tag)) return false;
  field.bytes = {};
  field.value = 0;
  if ((tag >> 3) == 0 || (tag >> 3) > 0x1fffffff) return fail(WireFault::kMalformed);
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
  field.offset = base_ + position_;
  switch (field.type) {
    case WireType::kVarint:
      if (!read_varint(field.value)) return false;
      break;
    case WireType::kFixed64:
      if (!read_fixed(8, field.value)) return false;
      break;
    case WireType::kFixed32:
      if (!read_fixed(4, field.value)) return false;
      break;
    case WireType::kBytes: {
      uint64_t size = 0;
      if (!read_varint(size)) return false;
      if (size > message_.size() - position_) return fail(WireFault::kTruncated, size);
      field.offset = base_ + position_;
      field.bytes = message_.subspan(position_, static_cast<size_t>(size));
      position_ += static_cast<size_t>(size);
      break;
    }
    default:  // groups and reserved types
      return fail(WireFault::kMalformed);
  }
  field.raw = message_.subspan(start, position_ - start);
  return true;
}

}  // namespace axle
