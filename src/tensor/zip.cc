#include "tensor/zip.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "base/checked.h"
#include "base/text.h"
#include "base/utf8.h"

namespace axle {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kDirectorySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // "the value stands in the ZIP64 record"
constexpr uint16_t kZip64Field = 1;
constexpr size_t kLocalBytes = 30, kDirectoryBytes = 46, kEndBytes = 22, kEnd64LocatorBytes = 20, kEnd64Bytes = 56;
constexpr uint16_t kEncrypted = 1 << 0, kUtf8Name = 1 << 11;
constexpr uint64_t kDeflateLimit = 1032;  // its highest ratio
constexpr size_t kMaxNameBytes = 4096;
constexpr uint16_t kDosDate = (1 << 5) | 1;  // 1980-01-01, the earliest

uint64_t little(std::span<const std::byte> bytes, size_t at, size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, width);
  return value;
}
uint16_t u16(std::span<const std::byte> bytes, size_t at) { return static_cast<uint16_t>(little(bytes, at, 2)); }
uint32_t u32(std::span<const std::byte> bytes, size_t at) { return static_cast<uint32_t>(little(bytes, at, 4)); }
uint64_t u64(std::span<const std::byte> bytes, size_t at) { return little(bytes, at, 8); }

// bytes[at, at + size), or nothing when that leaves the archive.
std::optional<std::span<const std::byte>> slice(std::span<const std::byte> bytes, uint64_t at, uint64_t size) {
  if (at > bytes.size() || bytes.size() - at < size) return std::nullopt;
  return bytes.subspan(at, size);
}

Status truncated(const char* where) {
  return data_loss_error(fmt::format("the zip archive is truncated or damaged: {}", where));
}

struct Directory {
  uint64_t members = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

Result<Directory> find_directory64(std::span<const std::byte> archive, size_t end_at) {
  const auto locator =
      end_at < kEnd64LocatorBytes ? std::nullopt : slice(archive, end_at - kEnd64LocatorBytes, kEnd64LocatorBytes);
  if (!locator || u32(*locator, 0) != kEnd64LocatorSignature) return truncated("no ZIP64 locator");
  const auto end = slice(archive, u64(*locator, 8), kEnd64Bytes);
  if (!end || u32(*end, 0) != kEnd64Signature) return truncated("no ZIP64 end record");
  if (u32(*end, 16) != 0 || u32(*end, 20) != 0) return unimplemented_error("zip archives of several disks are not supported");
  return Directory{u64(*end, 32), u64(*end, 40), u64(*end, 48)};
}

Result<Directory> find_directory(std::span<const std::byte> archive) {
  if (archive.size() < kEndBytes) return truncated("no end record");
  // The end record stands last, before a comment of at most 65,535 bytes.
  const size_t lowest = archive.size() - std::min<size_t>(archive.size(), kEndBytes + 0xFFFF);
  for (size_t at = archive.size() - kEndBytes + 1; at-- > lowest;) {
    if (u32(archive, at) != kEndSignature || at + kEndBytes + u16(archive, at + 20) != archive.size()) continue;
    const Directory directory{u16(archive, at + 10), u32(archive, at + 12), u32(archive, at + 16)};
    if (directory.members == 0xFFFF || directory.size == kIn64 || directory.offset == kIn64) {
      return find_directory64(archive, at);
    }
    if (u16(archive, at + 4) != 0 || u16(archive, at + 6) != 0) {
      return unimplemented_error("zip archives of several disks are not supported");
    }
    return directory;
  }
  return truncated("no end record");
}

// The values of the ZIP64 field that the 32-bit ones refer to, in its fixed order.
Status read_zip64_field(std::span<const std::byte> extra, uint64_t& size, uint64_t& packed_size, uint64_t& offset) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const auto field = slice(extra, at + 4, u16(extra, at + 2));
    if (!field) break;
    if (u16(extra, at) == kZip64Field) {
      size_t next = 0;
      for (uint64_t* value : {&size, &packed_size, &offset}) {
        if (*value != kIn64) continue;
        if (field->size() < next + 8) return truncated("a short ZIP64 field");
        *value = u64(*field, next);
        next += 8;
      }
      return ok_status();
    }
    at += 4 + field->size();
  }
  if (size == kIn64 || packed_size == kIn64 || offset == kIn64) return truncated("no ZIP64 field");
  return ok_status();
}

// Finds the member's bytes behind its local header.
Result<std::span<const std::byte>> find_data(std::span<const std::byte> archive, uint64_t offset, uint64_t packed_size) {
  const auto local = slice(archive, offset, kLocalBytes);
  if (!local || u32(*local, 0) != kLocalSignature) return truncated("no local header");
  const uint64_t begin = offset + kLocalBytes + u16(*local, 26) + u16(*local, 28);
  const auto data = slice(archive, begin, packed_size);
  if (!data) return truncated("a member reaches beyond the end");
  return *data;
}

Status check_member(const ZipMember& member, uint16_t flags, uint16_t method) {
  const auto unsupported = [&](const char* what) {
    return unimplemented_error(fmt::format("{} is {}, which is not supported", printable(member.name, 80), what));
  };
  if (flags & kEncrypted) return unsupported("encrypted");
  if (method != 0 && method != Z_DEFLATED) return unsupported("packed by another method than deflate");
  if (member.name.empty() || member.name.size() > kMaxNameBytes || !is_valid_utf8(member.name) ||
      member.name.find('\0') != std::string::npos) {
    return invalid_argument_error(fmt::format("a zip member has an unusable name: {}", printable(member.name, 80)));
  }
  const uint64_t packed = member.compressed.size();
  if (!member.deflated && member.size_bytes != packed) return truncated("a stored member has two sizes");
  if (member.deflated && member.size_bytes / kDeflateLimit > packed) {
    return invalid_argument_error(fmt::format("{} claims {} bytes out of {}: more than deflate can hold",
                                              printable(member.name, 80), member.size_bytes, packed));
  }
  return ok_status();
}

// One record of the central directory; moves `at` past it.
Result<ZipMember> read_member(std::span<const std::byte> archive, std::span<const std::byte> directory, size_t& at) {
  const auto fixed = slice(directory, at, kDirectoryBytes);
  if (!fixed || u32(*fixed, 0) != kDirectorySignature) return truncated("a bad directory record");
  const size_t name_size = u16(*fixed, 28), extra_size = u16(*fixed, 30), comment_size = u16(*fixed, 32);
  const auto name = slice(directory, at + kDirectoryBytes, name_size);
  const auto extra = slice(directory, at + kDirectoryBytes + name_size, extra_size);
  if (!name || !extra) return truncated("a bad directory record");
  at += kDirectoryBytes + name_size + extra_size + comment_size;
  uint64_t packed_size = u32(*fixed, 20), size = u32(*fixed, 24), offset = u32(*fixed, 42);
  AXLE_RETURN_IF_ERROR(read_zip64_field(*extra, size, packed_size, offset));
  ZipMember member;
  member.name.assign(reinterpret_cast<const char*>(name->data()), name->size());
  member.deflated = u16(*fixed, 10) == Z_DEFLATED;
  member.crc = u32(*fixed, 16);
  member.size_bytes = size;
  AXLE_ASSIGN_OR_RETURN(member.compressed, find_data(archive, offset, packed_size));
  AXLE_RETURN_IF_ERROR(check_member(member, u16(*fixed, 8), u16(*fixed, 10)));
  return member;
}

// Members that share bytes would multiply what an archive can claim.
Status check_apart(const std::vector<ZipMember>& members) {
  std::vector<std::span<const std::byte>> parts;
  for (const ZipMember& member : members) {
    if (!member.compressed.empty()) parts.push_back(member.compressed);
  }
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i - 1].data() + parts[i - 1].size() > parts[i].data()) {
      return invalid_argument_error("two members of the zip archive overlap");
    }
  }
  return ok_status();
}

Status inflate_all(const ZipMember& member, std::byte* out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return resource_exhausted_error("no memory to unpack");
  std::span<const std::byte> in = member.compressed;
  uint64_t left = member.size_bytes;
  std::byte beyond{};  // where output beyond the declared size would go
  bool fits = true;
  int code = Z_OK;
  while (code == Z_OK) {
    // zlib counts in 32 bits.
    const auto in_now = static_cast<uInt>(std::min<size_t>(in.size(), 1u << 30));
    const auto out_now = static_cast<uInt>(std::min<uint64_t>(left, 1u << 30));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = in_now;
    stream.next_out = reinterpret_cast<Bytef*>(left > 0 ? out : &beyond);
    stream.avail_out = left > 0 ? out_now : 1;
    const uInt out_before = stream.avail_out;
    code = inflate(&stream, Z_NO_FLUSH);
    in = in.subspan(in_now - stream.avail_in);
    const uInt made = out_before - stream.avail_out;
    fits = made <= left;
    if (!fits || (made == 0 && in_now == stream.avail_in)) break;
    out += made;
    left -= made;
  }
  inflateEnd(&stream);
  if (fits && code == Z_STREAM_END && left == 0 && in.empty()) return ok_status();
  return truncated("a member does not unpack to its size");
}

void put(std::string& out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i));
}

// What local header and directory record have in common, from "version needed" to the sizes.
void put_common(std::string& out, uint16_t flags, uint32_t crc, uint64_t size) {
  put(out, 45, 2);
  put(out, flags, 2);
  put(out, 0, 2);  // stored
  put(out, 0, 2);  // midnight
  put(out, kDosDate, 2);
  put(out, crc, 4);
  const uint64_t shown = size >= kIn64 ? kIn64 : size;
  put(out, shown, 4);
  put(out, shown, 4);
}

}  // namespace

Result<std::vector<ZipMember>> list_zip(std::span<const std::byte> archive, const ZipLimits& limits) {
  AXLE_ASSIGN_OR_RETURN(const Directory where, find_directory(archive));
  const auto directory = slice(archive, where.offset, where.size);
  if (!directory) return truncated("the directory reaches beyond the end");
  if (where.members > limits.max_members) {
    return resource_exhausted_error(
        fmt::format("the zip archive has {} members, the limit is {}", where.members, limits.max_members));
  }
  std::vector<ZipMember> members;
  std::set<std::string> names;
  uint64_t total = 0;
  size_t at = 0;
  for (uint64_t i = 0; i < where.members; ++i) {
    AXLE_ASSIGN_OR_RETURN(ZipMember member, read_member(archive, *directory, at));
    if (!names.insert(member.name).second) {
      return invalid_argument_error(fmt::format("the zip archive holds {} twice", printable(member.name, 80)));
    }
    const auto sum = checked_add(total, member.size_bytes);
    if (!sum || *sum > limits.max_total_bytes) {
      return resource_exhausted_error(fmt::format("the zip archive unpacks to more than {} bytes", limits.max_total_bytes));
    }
    total = *sum;
    members.push_back(std::move(member));
  }
  AXLE_RETURN_IF_ERROR(check_apart(members));
  return members;
}

Result<SharedBytes> read_zip_member(const ZipMember& member) {
  AXLE_ASSIGN_OR_RETURN(SharedBytes content, allocate_bytes(member.size_bytes));
  auto* out = static_cast<std::byte*>(content.owner.get());
  if (member.deflated) {
    AXLE_RETURN_IF_ERROR(inflate_all(member, out));
  } else if (!member.compressed.empty()) {
    std::memcpy(out, member.compressed.data(), member.compressed.size());
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(out), member.size_bytes) != member.crc) {
    return data_loss_error("its bytes do not match their checksum");
  }
  return content;
}

Status ZipWriter::write(std::string_view text) {
  AXLE_RETURN_IF_ERROR(file_.write(text));
  offset_ += text.size();
  return ok_status();
}

Status ZipWriter::add(const std::string& name, std::span<const std::span<const std::byte>> pieces) {
  if (name.empty() || name.size() > kMaxNameBytes || !is_valid_utf8(name) || name.find('\0') != std::string::npos) {
    return invalid_argument_error(fmt::format("\"{}\" cannot be the name of a zip member", printable(name, 80)));
  }
  uint64_t size = 0;
  uLong crc = 0;
  for (const std::span<const std::byte> piece : pieces) {
    size += piece.size();
    if (!piece.empty()) crc = crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
  }
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  const uint16_t flags = ascii ? 0 : kUtf8Name;
  const uint64_t begin = offset_;
  std::string sizes64;
  if (size >= kIn64) put(sizes64, size, 8), put(sizes64, size, 8);

  std::string local;
  put(local, kLocalSignature, 4);
  put_common(local, flags, static_cast<uint32_t>(crc), size);
  put(local, name.size(), 2);
  put(local, sizes64.empty() ? 0 : sizes64.size() + 4, 2);
  local += name;
  if (!sizes64.empty()) put(local, kZip64Field, 2), put(local, sizes64.size(), 2);
  AXLE_RETURN_IF_ERROR(write(local + sizes64));
  for (const std::span<const std::byte> piece : pieces) {
    AXLE_RETURN_IF_ERROR(file_.write(piece));
    offset_ += piece.size();
  }

  std::string values64 = sizes64;
  if (begin >= kIn64) put(values64, begin, 8);
  put(directory_, kDirectorySignature, 4);
  put(directory_, 45, 2);
  put_common(directory_, flags, static_cast<uint32_t>(crc), size);
  put(directory_, name.size(), 2);
  put(directory_, values64.empty() ? 0 : values64.size() + 4, 2);
  directory_.append(10, '\0');  // no comment, disk 0, no attributes
  put(directory_, begin >= kIn64 ? kIn64 : begin, 4);
  directory_ += name;
  if (!values64.empty()) put(directory_, kZip64Field, 2), put(directory_, values64.size(), 2);
  directory_ += values64;
  ++count_;
  return ok_status();
}

Status ZipWriter::finish() {
  const uint64_t begin = offset_;
  const uint64_t size = directory_.size();
  AXLE_RETURN_IF_ERROR(write(directory_));
  std::string end;
  if (begin >= kIn64 || count_ >= 0xFFFF) {
    put(end, kEnd64Signature, 4);
    put(end, kEnd64Bytes - 12, 8);
    put(end, 45, 2);
    put(end, 45, 2);
    put(end, 0, 8);
    put(end, count_, 8);
    put(end, count_, 8);
    put(end, size, 8);
    put(end, begin, 8);
    put(end, kEnd64LocatorSignature, 4);
    put(end, 0, 4);
    put(end, begin + size, 8);
    put(end, 1, 4);
  }
  put(end, kEndSignature, 4);
  put(end, 0, 4);
  put(end, std::min<uint64_t>(count_, 0xFFFF), 2);
  put(end, std::min<uint64_t>(count_, 0xFFFF), 2);
  put(end, size, 4);
  put(end, std::min<uint64_t>(begin, kIn64), 4);
  put(end, 0, 2);
  return write(end);
}

}  // namespace axle
