// Statistics of a cache over all processes: an append-only log of increments, folded into one line when it grows.
#pragma once

#include <cstdint>
#include <string>

#include "axle/status.h"
#include "cache/append_log.h"

namespace axle {

struct StatisticsTotals {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t corrupt = 0;
  uint64_t evictions = 0;
};

class Statistics {
 public:
  explicit Statistics(const std::string& path);
  // Never fails: what cannot be counted (no space) is not counted.
  void add(const StatisticsTotals& amount) const noexcept;
  Result<StatisticsTotals> totals() const;
  // Into one line; damaged lines are dropped.
  Status fold() const;
  // Damaged lines.
  Result<uint64_t> bad_lines() const;

 private:
  AppendLog log_;
};

}  // namespace axle
