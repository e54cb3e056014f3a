#include "engine/library_digest.h"

#include <algorithm>

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
  if (!hashed_ || memo_path_.empty()) return;
  hashed_ = false;
  Json json = Json::object();
  for (const auto& [path, entry] : entries_) json[path] = {entry.stamp, entry.digest};
  const auto text = canonical_json(json);
  if (!text.ok()) return;
  if (const Status status = write_file_atomic(memo_path_, *text, kPrivateFileMode); !status.ok()) {
    AXLE_LOG(kDebug, "engine", "library digests are not remembered: {}", status.to_string());
  }
}

Result<std::string> LibraryDigests::look_up(const std::string& path) {
  if (!read_) read_memo();
  AXLE_ASSIGN_OR_RETURN(const FileStamp stamp, FileStamp::of_path(path));
  const bool trusted = stamp.trustworthy(path, system_time_ns());
  const auto found = entries_.find(path);
  if (trusted && found != entries_.end() && found->second.stamp == stamp.to_string()) return found->second.digest;
  AXLE_ASSIGN_OR_RETURN(const Digest digest, sha256_of_file(path));
  if (trusted) {
    entries_[path] = {stamp.to_string(), digest.to_string()};
    hashed_ = true;
  }
  return digest.to_string();
}

Result<std::string> LibraryDigests::of_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Result<std::string> digest = look_up(path);
  write_memo();
  return digest;
}

std::vector<std::string> library_family(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string stem = name.substr(0, name.find_first_of("._-"));
  const auto entries = list_dir(folder);
  std::vector<std::string> family;
  if (entries && stem.size() > 3) {
    for (const DirEntry& entry : *entries) {
      const bool named = entry.name.starts_with(stem) && entry.name.size() > stem.size() &&
                         std::string_view("._-").find(entry.name[stem.size()]) != std::string_view::npos;
      if (entry.is_file && named && entry.name.find(".so") != std::string::npos) family.push_back(folder + "/" + entry.name);
    }
  }
  // Reached through a link, or from a folder that cannot be listed.
  if (std::find(family.begin(), family.end(), path) == family.end()) family.push_back(path);
  std::sort(family.begin(), family.end());
  return family;
}

Result<std::string> LibraryDigests::of_library(const std::string& path, const std::vector<std::string>& parts) {
  std::vector<std::string> files = library_family(path);
  files.insert(files.end(), parts.begin(), parts.end());
  if (files.size() == 1) return of_file(path);
  const std::lock_guard lock(mutex_);
  Sha256 hash;
  for (const std::string& file : files) {
    AXLE_ASSIGN_OR_RETURN(const std::string digest, look_up(file));
    hash.update_field(file.substr(file.rfind('/') + 1));
    hash.update_field(digest);
  }
  write_memo();
  return hash.finish().to_string();
}

}  // namespace axle
