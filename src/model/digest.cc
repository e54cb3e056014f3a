#include "model/digest.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/hash.h"

namespace axle {
namespace {

constexpr int kMaxFolderDepth = 8;

class FolderHasher {
 public:
  using Filter = std::function<bool(std::string_view)>;
  FolderHasher(std::string root, const ModelLimits& limits, const Filter& wanted)
      : root_(std::move(root)), limits_(limits), wanted_(wanted) {}

  Result<std::vector<ModelFile>> hash() {
    AXLE_RETURN_IF_ERROR(visit(root_, "", 0));
    return std::move(files_);
  }

 private:
  Status visit(const std::string& folder, const std::string& prefix, int depth) {
    if (depth > kMaxFolderDepth) {
      return resource_exhausted_error(fmt::format("folder {} is nested deeper than {} levels", root_, kMaxFolderDepth));
    }
    AXLE_ASSIGN_OR_RETURN(const auto entries, list_dir(folder, limits_.max_files));
    for (const DirEntry& entry : entries) {
      if (entry.name.starts_with('.')) continue;
      const std::string path = folder + "/" + entry.name;
      if (entry.is_folder) {
        AXLE_RETURN_IF_ERROR(visit(path, prefix + entry.name + "/", depth + 1));
        continue;
      }
      if (!wanted_(prefix + entry.name) || (!entry.is_file && !is_link_to_file(path))) continue;
      if (files_.size() >= limits_.max_files) {
        return resource_exhausted_error(fmt::format("folder {} holds more than {} files", root_, limits_.max_files))
            .with_hint("point at the model's own folder");
      }
      AXLE_ASSIGN_OR_RETURN(ModelFile file, hash_model_file(path, prefix + entry.name));
      files_.push_back(std::move(file));
    }
    return ok_status();
  }

  static bool is_link_to_file(const std::string& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
  }

  std::string root_;
  const ModelLimits& limits_;
  const Filter& wanted_;
  std::vector<ModelFile> files_;
};

}  // namespace

std::string model_digest(std::vector<ModelFile> files) {
  if (files.size() == 1) return "sha256:" + files.front().sha256;
  std::sort(files.begin(), files.end(), [](const ModelFile& a, const ModelFile& b) { return a.role < b.role; });
  Sha256 hash;
  for (const ModelFile& file : files) hash.update(fmt::format("{}  {}\n", file.sha256, file.role));
  return hash.finish().to_string();
}

Result<ModelFile> hash_model_file(const std::string& path, const std::string& role) {
  AXLE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return hash_mapped_file(file, role);
}

Result<ModelFile> hash_mapped_file(const MappedFile& file, const std::string& role) {
  // Before the bytes are touched, so that a file truncated since it was mapped is an error and not a signal.
  AXLE_RETURN_IF_ERROR(file.check_unchanged());
  ModelFile out{file.path(), role, file.bytes().size(), file.stamp().to_string(), sha256_of(file.bytes()).hex()};
  // The pages that hashing touched are not needed in this process for now; the page cache keeps them.
  if (!file.bytes().empty()) ::madvise(const_cast<std::byte*>(file.bytes().data()), file.bytes().size(), MADV_DONTNEED);
  AXLE_RETURN_IF_ERROR(file.check_unchanged());
  return out;
}

Result<std::vector<ModelFile>> hash_model_folder(const std::string& folder, const ModelLimits& limits,
                                                 const std::function<bool(std::string_view)>& wanted) {
  return FolderHasher(folder, limits, wanted).hash();
}

}  // namespace axle
