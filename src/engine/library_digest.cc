#include "engine/library_digest.h"

#include "base/file.h"
#include "base/file_stamp.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/logging.h"

namespace axle {
namespace {

constexpr size_t kMaxMemoBytes = 1u << 20;
constexpr size_t kMaxEntries = 1000;

}  // namespace

void LibraryDigests::read_memo() {
  read_ = true;
  if (memo_path_.empty()) return;
  const auto text = read_file(memo_path_, kMaxMemoBytes);
  if (!text.ok()) return;
  const auto json = parse_json(*text, kMaxMemoBytes, 4);
  if (!json.ok() || !json->is_object()) return;
  for (const auto& [path, item] : json->items()) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_string()) continue;
    if (!Digest::parse(item[1].get<std::string>()).ok() || entries_.size() >= kMaxEntries) continue;
    entries_[path] = {item[0].get<std::string>(), item[1].get<std::string>()};
  }
}

void LibraryDigests::write_memo() {
  if (memo_path_.empty()) return;
  Json json = Json::object();
  for (const auto& [path, entry] : entries_) json[path] = {entry.stamp, entry.digest};
  const auto text = canonical_json(json);
  if (!text.ok()) return;
  if (const Status status = write_file_atomic(memo_path_, *text, kPrivateFileMode); !status.ok()) {
    AXLE_LOG(kDebug, "engine", "library digests are not remembered: {}", status.to_string());
  }
}

Result<std::string> LibraryDigests::of_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!read_) read_memo();
  AXLE_ASSIGN_OR_RETURN(const FileStamp stamp, FileStamp::of_path(path));
  const bool trusted = stamp.trustworthy(path, system_time_ns());
  const auto found = entries_.find(path);
  if (trusted && found != entries_.end() && found->second.stamp == stamp.to_string()) return found->second.digest;
  AXLE_ASSIGN_OR_RETURN(const Digest digest, sha256_of_file(path));
  if (trusted) {
    entries_[path] = {stamp.to_string(), digest.to_string()};
    write_memo();
  }
  return digest.to_string();
}

Result<std::string> LibraryDigests::of_all(const std::vector<std::string>& paths, const std::vector<std::string>& texts) {
  Sha256 hash;
  for (const std::string& path : paths) {
    AXLE_ASSIGN_OR_RETURN(const std::string digest, of_file(path));
    hash.update_field(digest);
  }
  for (const std::string& text : texts) hash.update_field(text);
  return hash.finish().to_string();
}

}  // namespace axle
