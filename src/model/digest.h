// The digest of a model (docs/formats/model-digest.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/model.h"
#include "base/file.h"

namespace axle {

// One file: "sha256:" of its content. Several: of the sorted listing "<sha256>  <role>\n".
std::string model_digest(std::vector<ModelFile> files);

// Hashes one file; `role` is its name in the listing. ABORTED when it changes meanwhile.
Result<ModelFile> hash_model_file(const std::string& path, const std::string& role);
Result<ModelFile> hash_mapped_file(const MappedFile& file, const std::string& role);

// Every file below `folder` whose relative path `wanted` accepts; that path is its role. Links to files are followed, hidden
// names and links to folders skipped. RESOURCE_EXHAUSTED: more than max_files, or nested deeper than 8.
Result<std::vector<ModelFile>> hash_model_folder(const std::string& folder, const ModelLimits& limits,
                                                 const std::function<bool(std::string_view relative_path)>& wanted);

}  // namespace axle
