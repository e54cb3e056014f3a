// Weights that live in files beside the model. A location is data from a hostile file: it must stay inside the model's
// folder, links included, and every range inside its file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "axle/model.h"
#include "axle/status.h"
#include "base/file.h"

namespace axle {

struct ExternalRange {
  std::string location;                 // as the model writes it
  uint64_t offset = 0;
  std::optional<uint64_t> length;       // absent: to the end of the file
};

struct ExternalBytes {
  std::shared_ptr<const MappedFile> file;
  uint64_t offset = 0;
  std::span<const std::byte> bytes;
};

class ExternalData {
 public:
  // `folder` = "": external data is refused.
  ExternalData(std::string folder, const ModelOptions& options);

  // Exactly `size_bytes` at the range. PERMISSION_DENIED: the location leaves the folder. NOT_FOUND: no such file.
  // DATA_LOSS: past the end of the file. INVALID_ARGUMENT: the length contradicts the tensor.
  Result<ExternalBytes> resolve(const ExternalRange& range, uint64_t size_bytes, const std::string& tensor);

  // Absolute, links resolved, when it exists.
  const std::string& folder() const noexcept { return folder_; }
  // Every file that was opened, by location.
  const std::map<std::string, std::shared_ptr<const MappedFile>>& files() const noexcept { return files_; }

 private:
  Result<std::shared_ptr<const MappedFile>> open(const std::string& location, const std::string& tensor);

  std::string folder_;
  std::vector<std::string> allowed_folders_;  // canonical
  ModelLimits limits_;
  uint64_t mapped_bytes_ = 0;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace axle
