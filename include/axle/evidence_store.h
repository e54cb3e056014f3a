// EvidenceStore: the recorded measurements of this user, in one append-only file of the cache folder
// (docs/formats/evidence-store.md). Any thread, any number of processes: appends exclude each other, readers see whole rows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/evidence.h"
#include "axle/export.h"
#include "axle/status.h"

namespace axle {

// Which rows: each field that is not empty must be equal.
struct EvidenceFilter {
  std::string model_digest;
  std::string candidate;
  std::string machine;
  bool matches(const EvidenceRow& row) const noexcept {
    return (model_digest.empty() || row.key.model_digest == model_digest) &&
           (candidate.empty() || row.key.candidate == candidate) && (machine.empty() || row.key.machine == machine);
  }
};

struct EvidenceStats {
  uint64_t rows = 0;
  uint64_t unreadable = 0;  // damaged lines, and rows of another version of axle: skipped
  uint64_t bytes = 0;
};

class AXLE_API EvidenceStore {
 public:
  // `folder`: the cache folder, "" = the default one (see Cache::open, also for the codes). Reads nothing yet.
  static Result<EvidenceStore> open(std::string folder = "", bool read_only = false);

  const std::string& path() const noexcept;

  // All rows or none. RESOURCE_EXHAUSTED: no space; INVALID_ARGUMENT: a text is not UTF-8 or a number not finite.
  // When the file passes its limit, rows that newer ones of the same key have replaced go first, then the oldest.
  Status append(std::span<const EvidenceRow> rows);
  // Rows in the order in which they were recorded. Fast with a model_digest: other models' rows are not parsed.
  Result<std::vector<EvidenceRow>> find(const EvidenceFilter& filter = {}) const;
  Result<EvidenceStats> stats() const;

  // Number of rows removed. `filter` must not be empty unless `all`.
  Result<uint64_t> rm(const EvidenceFilter& filter, bool all = false);
  // Those of the matching rows for which `goes` says so.
  Result<uint64_t> rm_if(const EvidenceFilter& filter, const std::function<bool(const EvidenceRow&)>& goes);
  // Canonical JSON of the matching rows, and back: number of rows that were new. INVALID_ARGUMENT imports nothing: no export of
  // this version, or a candidate that is simulated in one row and real in another, of the file or of the store.
  Result<std::string> export_json(const EvidenceFilter& filter = {}) const;
  Result<uint64_t> import_json(std::string_view json);
  // Drops damaged lines and all but the newest 8 rows of each key.
  Status compact();

  struct State;

 private:
  explicit EvidenceStore(std::shared_ptr<State> state) noexcept;
  std::shared_ptr<State> state_;
};

}  // namespace axle
