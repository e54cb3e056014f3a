// Which format a file or folder is, by content first and extension second.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "axle/model.h"

namespace axle {

struct FoundModel {
  ModelFormat format = ModelFormat::kUnknown;
  std::string main_file;  // the file to open first; "" for formats that are folders
  std::string folder;     // of the model
};

// Format of a whole file's bytes. `path` helps where the content is ambiguous and appears in messages.
// INVALID_ARGUMENT: empty, a web page, a Git LFS pointer, or nothing known.
Result<ModelFormat> detect_format(std::span<const std::byte> bytes, const std::string& path);

// Looks into a folder (SavedModel, Hugging Face, a single model file) or takes the file as it is.
Result<FoundModel> find_model(const std::string& path);

}  // namespace axle
