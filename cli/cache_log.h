// axle cache log: what compilers printed.
#pragma once

#include <string>
#include <vector>

#include "axle/cache.h"
#include "axle/status.h"

namespace axle::cli {

// Logs of the artefacts and failed builds that `names` name: starts of key digests, models' digests; all when there are none.
// NOT_FOUND names one that has none.
Status print_build_logs(const Cache& cache, const std::vector<std::string>& names, bool json);

}  // namespace axle::cli
