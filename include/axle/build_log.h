// BuildLog: what a compiler printed while it made an artefact, or failed to. The log of an artefact is one of its blobs and goes
// where it goes; those of failed builds are kept beside the artefacts, the newest 64, one per key. Thread-safe as the cache is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cache.h"
#include "axle/export.h"
#include "axle/status.h"

namespace axle {

// The file that an engine leaves in the scratch folder of a compile call, and the blob that it becomes where the call succeeds.
inline constexpr std::string_view kBuildLogName = "axle-log.txt";

struct BuildLog {
  std::string key_digest;
  ArtefactKey key;
  bool failed = false;  // there is no artefact; `message` says why
  int64_t unix_s = 0;  // when it was built, or failed
  std::string message;
  bool kept = false;  // false: the engine keeps no log
  std::string text;  // as printed: not necessarily UTF-8
};

// Of every sound artefact and every failed build, newest first.
AXLE_API Result<std::vector<BuildLog>> build_logs(const Cache& cache, const CancelToken& cancel = CancelToken::none());

}  // namespace axle
