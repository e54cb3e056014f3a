// What the members of Cache share, over its several source files.
#pragma once

#include <string>

#include "axle/cache.h"
#include "cache/layout.h"
#include "cache/memo.h"
#include "cache/statistics.h"

namespace axle {

struct Cache::State {
  State(std::string folder, uint64_t limit_bytes, bool reads_only)
      : layout(std::move(folder)), max_bytes(limit_bytes), read_only(reads_only), memo(layout.memo, reads_only),
        statistics(layout.statistics) {}

  void count(const StatisticsTotals& amount) const noexcept {
    if (!read_only) statistics.add(amount);
  }

  StoreLayout layout;
  uint64_t max_bytes;
  bool read_only;
  Memo memo;
  Statistics statistics;
};

// The folder's absolute path, made when needed and found to be private; "" = the default one. Codes as Cache::open.
Result<std::string> prepare_cache_folder(std::string folder, bool read_only);
// Bytes of all files in objects/.
uint64_t object_bytes(const StoreLayout& layout);
// Cache::gc, under the store's lock.
Result<CacheGcReport> collect_garbage(Cache::State& state, uint64_t max_bytes);

}  // namespace axle
