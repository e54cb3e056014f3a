// What `axle engines install` installs: for each engine whose vendor's library is not asked of the user's own Python environment, a
// list of packages with their digests that comes with axle. They go into a folder of this user's, where that engine looks first;
// nothing of them comes with axle or is passed on.
#pragma once

#include <string>
#include <vector>

#include "axle/cancel.h"
#include "axle/export.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace axle {

struct EnginePackages {
  std::string engine;  // "qnn"
  std::string what;  // one line
  std::string licence;  // one line: what the user agrees to by installing
  std::string list;  // file of pinned packages with digests, as pip reads it
  std::string folder;  // where they are or would be
  bool installed = false;  // exactly that list is
};

// In the order of their names. NOT_FOUND: axle is not installed whole.
AXLE_API Result<std::vector<EnginePackages>> engine_packages();

struct InstallOptions {
  ProgressCallback progress;
  CancelToken cancel = CancelToken::none();
};

// Downloads and installs with the pip of the first Python that is found, as that pip is configured; digests are checked. True when
// something was installed, false when that very list was already. An earlier list is replaced when the new one is whole. Blocks:
// seconds to minutes. UNAVAILABLE: no Python, no pip, or it failed (its last words). CANCELLED, DEADLINE_EXCEEDED.
AXLE_API Result<bool> install_engine_packages(const EnginePackages& packages, const InstallOptions& options = {});

}  // namespace axle
