// PyTorch archives are zip files: only the central directory is read, nothing is unpickled.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "model/byte_reader.h"
#include "model/inspect.h"

namespace axle {
namespace {

constexpr uint32_t kEndMagic = 0x06054b50, kEnd64Magic = 0x06064b50, kEnd64LocatorMagic = 0x07064b50, kEntryMagic = 0x02014b50;
constexpr size_t kEndBytes = 22, kMaxCommentBytes = 65535, kLocatorBytes = 20;

struct ZipEntry {
  std::string_view name;
  uint64_t size_bytes = 0;
};

struct Directory {
  uint64_t offset = 0;
  uint64_t entries = 0;
};

Status damaged(const std::string& path) {
  return data_loss_error(fmt::format("{} is a truncated or damaged zip archive", path)).with_hint("fetch the file again");
}

Result<Directory> find_directory(Bytes zip, const std::string& path) {
  if (zip.size() < kEndBytes) return damaged(path);
  const size_t stop = zip.size() > kEndBytes + kMaxCommentBytes ? zip.size() - kEndBytes - kMaxCommentBytes : 0;
  for (size_t position = zip.size() - kEndBytes + 1; position-- > stop;) {
    ByteReader reader(zip, position);
    if (reader.read<uint32_t>() != kEndMagic) continue;
    reader.take(6);
    Directory directory;
    directory.entries = reader.read<uint16_t>();
    reader.take(4);
    directory.offset = reader.read<uint32_t>();
    if (position < kLocatorBytes) return directory;
    ByteReader locator(zip, position - kLocatorBytes);
    if (locator.read<uint32_t>() != kEnd64LocatorMagic) return directory;
    locator.take(4);
    ByteReader end64(zip, locator.read<uint64_t>());
    if (end64.read<uint32_t>() != kEnd64Magic) return damaged(path);
    end64.take(28);
    directory.entries = end64.read<uint64_t>();
    end64.take(8);
    directory.offset = end64.read<uint64_t>();
    if (!end64.ok()) return damaged(path);
    return directory;
  }
  return damaged(path);
}

// The uncompressed size of a zip64 entry stands in its extra field.
uint64_t zip64_size(Bytes extra, uint64_t fallback) {
  ByteReader reader(extra);
  while (reader.left() >= 4) {
    const auto id = reader.read<uint16_t>();
    ByteReader field(reader.take(reader.read<uint16_t>()));
    if (id == 1 && field.left() >= 8) return field.read<uint64_t>();
    if (!reader.ok()) break;
  }
  return fallback;
}

Result<std::vector<ZipEntry>> list_entries(Bytes zip, const std::string& path, uint64_t max_entries) {
  AXLE_ASSIGN_OR_RETURN(const Directory directory, find_directory(zip, path));
  if (directory.entries > max_entries)
    return resource_exhausted_error(
        fmt::format("{} claims {} archive members, over the limit of {}", path, directory.entries, max_entries));
  ByteReader reader(zip, directory.offset);
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (reader.read<uint32_t>() != kEntryMagic) return damaged(path);
    reader.take(20);
    ZipEntry entry;
    entry.size_bytes = reader.read<uint32_t>();
    const auto name_size = reader.read<uint16_t>();
    const auto extra_size = reader.read<uint16_t>();
    const auto comment_size = reader.read<uint16_t>();
    reader.take(12);
    entry.name = reader.text(name_size);
    const Bytes extra = reader.take(extra_size);
    reader.take(comment_size);
    if (!reader.ok()) return damaged(path);
    if (entry.size_bytes == UINT32_MAX) entry.size_bytes = zip64_size(extra, entry.size_bytes);
    entries.push_back(entry);
  }
  return entries;
}

// The archive's members lie in one folder of any name.
std::string_view below_root(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

bool has(const std::vector<ZipEntry>& entries, std::string_view start) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const ZipEntry& e) { return below_root(e.name).starts_with(start) || e.name.starts_with(start); });
}

constexpr uint64_t kMaxMembers = 1'000'000;

}  // namespace

Result<ModelFormat> inspect_torch_archive_format(Bytes zip, const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const auto entries, list_entries(zip, path, kMaxMembers));
  if (has(entries, "serialized_exported_program.json") || has(entries, "models/") || has(entries, "archive_format"))
    return ModelFormat::kTorchExportedProgram;
  if (has(entries, "constants.pkl") && has(entries, "code/")) return ModelFormat::kTorchscript;
  if (has(entries, "data.pkl")) {
    return invalid_argument_error(fmt::format("{} is a PyTorch checkpoint (torch.save): it holds objects, not a program", path))
        .with_hint("export the model with torch.export or torch.jit, or to ONNX");
  }
  return invalid_argument_error(fmt::format("{} is a zip archive, but not a PyTorch model", path))
      .with_hint("give the model file itself");
}

Result<Inspection> inspect_torch_archive(Bytes zip, const std::string& path, const ModelLimits& limits) {
  AXLE_ASSIGN_OR_RETURN(const auto entries, list_entries(zip, path, std::min<uint64_t>(kMaxMembers, limits.max_values)));
  Inspection out;
  for (const ZipEntry& entry : entries) {
    const std::string_view name = below_root(entry.name);
    const bool is_weight = name.starts_with("data/") || name.starts_with("constants/") || name.starts_with("tensors/");
    const bool is_config = name.ends_with(".json") || name.ends_with(".pkl") || name.ends_with(".pt2");
    if (is_weight && !is_config && !name.starts_with("data/sample_inputs")) out.weight_bytes += entry.size_bytes;
  }
  if (!entries.empty()) {
    const std::string_view root = entries.front().name.substr(0, entries.front().name.find('/'));
    if (is_valid_utf8(root)) out.name = printable(root, 200);
  }
  out.metadata["archive.members"] = std::to_string(entries.size());
  return out;
}

}  // namespace axle
