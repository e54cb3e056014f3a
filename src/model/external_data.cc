#include "model/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

namespace axle {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLocationHint = "external data must be a relative path inside the model's folder; export the model again";

Status check_location(const std::string& location, const std::string& tensor) {
  const auto refuse = [&](std::string_view why) {
    return permission_denied_error(fmt::format("external data of tensor '{}': location '{}' {}", tensor, location, why))
        .with_hint(kLocationHint);
  };
  if (location.empty()) {
    return invalid_argument_error(fmt::format("external data of tensor '{}' has no location", tensor)).with_hint(kLocationHint);
  }
  if (location.find('\0') != std::string::npos) return refuse("holds a zero byte");
  // Engines that are handed the file take it for an address, whatever file of that name lies there.
  if (location.find("_ORT_MEM_ADDR_") != std::string::npos) return refuse("stands for an address in memory");
  const fs::path path(location);
  if (path.is_absolute()) return refuse("is absolute");
  if (std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; })) {
    return refuse("leaves the model's folder");
  }
  return ok_status();
}

bool is_inside(const fs::path& file, const fs::path& folder) {
  const auto [folder_end, ignored] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return folder_end == folder.end();
}

}  // namespace

ExternalData::ExternalData(std::string folder, const ModelOptions& options)
    : folder_(std::move(folder)), limits_(options.limits) {
  std::error_code error;
  if (!folder_.empty()) {
    const fs::path canonical = fs::canonical(folder_, error);
    if (!error) folder_ = canonical.string();
    allowed_folders_.push_back(folder_);
  }
  for (const std::string& name : options.external_data_folders) {
    const fs::path canonical = fs::canonical(name, error);
    if (!error) allowed_folders_.push_back(canonical.string());
  }
}

Result<std::shared_ptr<const MappedFile>> ExternalData::open(const std::string& location, const std::string& tensor) {
  if (auto found = files_.find(location); found != files_.end()) return found->second;
  AXLE_RETURN_IF_ERROR(check_location(location, tensor));
  if (folder_.empty()) {
    return failed_precondition_error(
               fmt::format("tensor '{}' lives in external file '{}', but the model has no folder", tensor, location))
        .with_hint("load the model from its path, or name the folder of its weights");
  }
  if (files_.size() >= limits_.max_files) {
    return resource_exhausted_error(fmt::format("the model refers to more than {} external files", limits_.max_files));
  }
  std::error_code error;
  const fs::path canonical = fs::canonical(fs::path(folder_) / location, error);
  if (error) {
    return not_found_error(fmt::format("weights file '{}' of tensor '{}' cannot be opened: {}",
                                       (fs::path(folder_) / location).string(), tensor, error.message()))
        .with_hint("keep the model and its weight files together");
  }
  const bool allowed = std::any_of(allowed_folders_.begin(), allowed_folders_.end(),
                                   [&](const std::string& folder) { return is_inside(canonical, folder); });
  if (!allowed) {
    return permission_denied_error(
               fmt::format("external data of tensor '{}': location '{}' is a link to {}, outside the model's folder", tensor,
                           location, canonical.string()))
        .with_hint("copy the file beside the model, or name its folder in external_data_folders");
  }
  AXLE_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::open(canonical.string(), limits_.max_weight_bytes - mapped_bytes_));
  auto file = std::make_shared<const MappedFile>(std::move(mapped));
  mapped_bytes_ += file->bytes().size();
  files_.emplace(location, file);
  return file;
}

Result<ExternalBytes> ExternalData::resolve(const ExternalRange& range, uint64_t size_bytes, const std::string& tensor) {
  if (range.length && *range.length != size_bytes) {
    return invalid_argument_error(fmt::format("tensor '{}' needs {} bytes, but its external data is declared with {}", tensor,
                                              size_bytes, *range.length))
        .with_hint("export the model again");
  }
  AXLE_ASSIGN_OR_RETURN(auto file, open(range.location, tensor));
  const uint64_t available = file->bytes().size();
  if (range.offset > available || size_bytes > available - range.offset) {
    return data_loss_error(fmt::format("tensor '{}' wants bytes {} to {} of '{}', which has only {}", tensor, range.offset,
                                       range.offset + size_bytes, range.location, available))
        .with_hint("the weights file is truncated or belongs to another model: fetch it again");
  }
  const auto bytes = file->bytes().subspan(static_cast<size_t>(range.offset), static_cast<size_t>(size_bytes));
  return ExternalBytes{std::move(file), range.offset, bytes};
}

}  // namespace axle
