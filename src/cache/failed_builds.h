// What compilers printed before they failed: store-1/failed/, one sealed file per key, the newest kMostFailedBuilds of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/build_log.h"
#include "axle/cache.h"

namespace axle {

inline constexpr size_t kMostFailedBuilds = 64;
inline constexpr size_t kMostBuildLogBytes = size_t{8} << 20;  // of a log; the end of a longer one is kept

// In place of an earlier one of this key. Not with a cache that is open for reading only (FAILED_PRECONDITION).
Status keep_failed_build(const Cache& cache, const ArtefactKey& key, const std::string& message, std::string_view log);
// Those whose key begins so (hex digits), "*" = all; how many there were.
size_t forget_failed_builds(const std::string& cache_folder, std::string_view key_prefix);
// A file of that folder, but for its time. DATA_LOSS, INVALID_ARGUMENT: nothing that keep_failed_build wrote.
Result<BuildLog> parse_failed_build(std::string_view text);
// Newest first; what cannot be read is left out.
std::vector<BuildLog> failed_builds(const std::string& cache_folder);

}  // namespace axle
