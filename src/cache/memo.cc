#include "cache/memo.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "cache/disk.h"
#include "cache/sealed.h"

namespace axle {
namespace {

constexpr std::string_view kMemoKind = "axle-memo 1";
constexpr std::string_view kDigestKind = "digest";
constexpr size_t kOverheadBytes = 4096;  // seal, kind and key
constexpr size_t kMaxKeyBytes = 2048;
constexpr std::string_view kTemporaryMark = ".tmp-";
constexpr int64_t kAbandonedAfterNs = int64_t{600} * 1'000'000'000;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

std::string temporary_name() {
  uint64_t random[2] = {};
  if (::getrandom(random, sizeof random, 0) != sizeof random) random[0] = static_cast<uint64_t>(system_time_ns());
  return fmt::format("{}{}-{:016x}{:016x}", kTemporaryMark, ::getpid(), random[0], random[1]);
}

struct Found {
  std::string path;
  uint64_t bytes;
  int64_t mtime_ns;
  bool temporary;
};

std::vector<Found> files_in(const std::string& folder) {
  std::vector<Found> files;
  const auto entries = list_dir(folder);
  if (!entries.ok()) return files;
  for (const DirEntry& entry : *entries) {
    std::string path = folder + "/" + entry.name;
    const auto stamp = FileStamp::of_path(path);
    if (!stamp.ok()) continue;
    files.push_back(
        {std::move(path), static_cast<uint64_t>(stamp->size_bytes), stamp->mtime_ns, entry.name.starts_with(kTemporaryMark)});
  }
  return files;
}

constexpr std::string_view kFolders = "0123456789abcdef";

}  // namespace

std::string memo_to_text(const MemoRecord& record) {
  return seal(kMemoKind, fmt::format("{}\n{}\n{}", record.kind, record.key, record.value));
}

Result<MemoRecord> parse_memo(std::string_view text) {
  AXLE_ASSIGN_OR_RETURN(std::string_view payload, unseal(kMemoKind, text));
  MemoRecord record;
  for (std::string_view* field : {&record.kind, &record.key}) {
    const size_t end = payload.find('\n');
    if (end == std::string_view::npos) return data_loss_error("a memo lacks its kind or its key");
    *field = payload.substr(0, end);
    payload.remove_prefix(end + 1);
  }
  if (!is_word(record.kind)) return data_loss_error("a memo's kind is not a word");
  record.value = payload;
  return record;
}

Memo::Memo(std::string folder, bool read_only, MemoLimits limits)
    : folder_(std::move(folder)), read_only_(read_only), limits_(limits) {}

std::string Memo::file_of(std::string_view kind, std::string_view key, std::string* folder) const {
  const std::string name = Sha256().update_field(kind).update_field(key).finish().hex();
  *folder = fmt::format("{}/{}", folder_, name[0]);
  return fmt::format("{}/{}", *folder, name);
}

std::optional<std::string> Memo::get(std::string_view kind, std::string_view key) const {
  std::string folder;
  const auto text = read_file(file_of(kind, key, &folder), limits_.max_value_bytes + kOverheadBytes);
  if (!text.ok()) return std::nullopt;
  const auto record = parse_memo(*text);
  if (!record.ok() || record->kind != kind || record->key != key) return std::nullopt;
  return std::string(record->value);
}

Status Memo::put(std::string_view kind, std::string_view key, std::string_view value) {
  if (read_only_) return failed_precondition_error(fmt::format("the cache {} is open for reading only", folder_));
  if (!is_word(kind) || key.find('\n') != std::string_view::npos || key.size() > kMaxKeyBytes) {
    return invalid_argument_error(fmt::format("\"{}\" \"{}\" cannot name a memo", printable(kind), printable(key)));
  }
  if (value.size() > limits_.max_value_bytes) {
    return invalid_argument_error(
        fmt::format("a memo of {} bytes is over the limit of {}", value.size(), limits_.max_value_bytes));
  }
  std::string folder;
  const std::string path = file_of(kind, key, &folder);
  const std::string temporary = fmt::format("{}/{}", folder, temporary_name());
  AXLE_RETURN_IF_ERROR(make_private_folder(folder));
  AXLE_ASSIGN_OR_RETURN(const UniqueFd file, create_file(temporary));
  // Not synced to the disk: after a power cut the seal tells a torn file from a whole one.
  Status done = write_all(file.get(), memo_to_text({kind, key, value}), temporary);
  if (done.ok()) done = rename_file(temporary, path);
  if (!done.ok()) {
    (void)::unlink(temporary.c_str());
    return done;
  }
  trim(folder);
  return ok_status();
}

Status Memo::remove(std::string_view kind, std::string_view key) {
  std::string folder;
  return remove_file(file_of(kind, key, &folder));
}

Status Memo::clear() {
  for (const char name : kFolders) {
    for (const Found& file : files_in(fmt::format("{}/{}", folder_, name))) AXLE_RETURN_IF_ERROR(remove_file(file.path));
  }
  return ok_status();
}

void Memo::trim(const std::string& folder) const {
  std::vector<Found> files = files_in(folder);
  const int64_t now = system_time_ns();
  std::erase_if(files, [&](const Found& file) {
    if (!file.temporary) return false;
    if (file.mtime_ns < now - kAbandonedAfterNs) (void)remove_file(file.path);
    return true;
  });
  uint64_t bytes = 0;
  for (const Found& file : files) bytes += file.bytes;
  if (files.size() <= limits_.max_files_per_folder && bytes <= limits_.max_bytes_per_folder) return;
  std::sort(files.begin(), files.end(), [](const Found& a, const Found& b) { return a.mtime_ns < b.mtime_ns; });
  // Down to three quarters, so that not every put has to trim.
  size_t count = files.size();
  for (const Found& file : files) {
    if (count <= limits_.max_files_per_folder / 4 * 3 && bytes <= limits_.max_bytes_per_folder / 4 * 3) return;
    if (!remove_file(file.path).ok()) return;
    bytes -= file.bytes;
    --count;
  }
}

Result<MemoUsage> Memo::usage() const {
  MemoUsage usage;
  for (const char name : kFolders) {
    for (const Found& file : files_in(fmt::format("{}/{}", folder_, name))) {
      usage.entries += file.temporary ? 0 : 1;
      usage.bytes += file.bytes;
    }
  }
  return usage;
}

Result<uint64_t> Memo::verify(const std::function<void(const std::string&, const std::string&)>& bad) const {
  uint64_t count = 0;
  for (const char name : kFolders) {
    for (const Found& file : files_in(fmt::format("{}/{}", folder_, name))) {
      if (file.temporary) continue;
      ++count;
      const auto text = read_file(file.path, limits_.max_value_bytes + kOverheadBytes);
      if (!text.ok() && text.error().code() == StatusCode::kNotFound) continue;  // replaced meanwhile
      const std::string relative = file.path.substr(folder_.size() + 1);
      if (!text.ok()) {
        bad(relative, text.error().message());
      } else if (const auto record = parse_memo(*text); !record.ok()) {
        bad(relative, record.error().message());
      } else if (std::string folder; file_of(record->kind, record->key, &folder) != file.path) {
        bad(relative, "the content belongs to another name");
      }
    }
  }
  return count;
}

Status Memo::sweep() {
  for (const char name : kFolders) trim(fmt::format("{}/{}", folder_, name));
  return ok_status();
}

Result<StampedDigest> stamped_digest(Memo* memo, const std::string& path, bool verify, const CancelToken& cancel) {
  StampedDigest result;
  AXLE_ASSIGN_OR_RETURN(result.stamp, FileStamp::of_path(path));
  const std::string key = result.stamp.to_string();
  const bool trusted = memo != nullptr && result.stamp.trustworthy(path, system_time_ns());
  if (trusted && !verify) {
    if (const auto known = memo->get(kDigestKind, key)) {
      if (auto digest = Digest::parse(*known); digest.ok()) {
        result.digest = *digest;
        result.remembered = true;
        return result;
      }
    }
  }
  AXLE_ASSIGN_OR_RETURN(result.digest, sha256_of_file(path, cancel));
  AXLE_ASSIGN_OR_RETURN(const FileStamp after, FileStamp::of_path(path));
  if (after != result.stamp) return data_loss_error(fmt::format("{} was changed while it was read", path));
  // What cannot be remembered is read again next time: not a failure of this call.
  if (trusted) (void)memo->put(kDigestKind, key, result.digest.to_string());
  return result;
}

}  // namespace axle
