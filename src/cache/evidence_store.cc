#include "axle/evidence_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_set>

#include "base/json.h"
#include "base/text.h"
#include "cache/cache_state.h"
#include "cache/evidence_payload.h"
#include "spec/evidence_json.h"

namespace axle {
namespace {

constexpr uint64_t kCompactEveryBytes = 4u << 20;
constexpr size_t kRowsPerKey = 8;
constexpr std::string_view kExportFormat = "axle-evidence";
constexpr int64_t kExportVersion = 1;

std::string key_text(const EvidenceKey& key) { return canonical_json(evidence_key_to_json(key)).value_or(std::string()); }

// Keeps the newest rows of each key, and then the newest rows altogether up to `max_bytes`. What another version wrote is
// kept as long as there is room: it is not ours to judge.
std::vector<std::string> newest(std::vector<std::string> payloads, uint64_t max_bytes) {
  std::map<std::string, size_t> seen;
  std::vector<std::string> kept;
  uint64_t bytes = 0;
  for (auto payload = payloads.rbegin(); payload != payloads.rend(); ++payload) {
    if (const auto row = parse_evidence_payload(*payload); row.ok() && ++seen[key_text(row->key)] > kRowsPerKey) continue;
    bytes += payload->size() + 32;
    if (bytes > max_bytes) break;
    kept.push_back(std::move(*payload));
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

// Whether a candidate of a library on a machine is simulated: all rows must say the same.
class Simulations {
 public:
  bool agrees(const EvidenceRow& row) {
    const EvidenceKey& key = row.key;
    return said_.try_emplace({key.candidate, key.library_digest, key.machine}, row.simulated).first->second == row.simulated;
  }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, bool> said_;
};

}  // namespace

struct EvidenceStore::State {
  State(const std::string& folder, bool reads_only) : log(evidence_log(StoreLayout(folder).evidence)), read_only(reads_only) {}

  Status refuse_read_only() const {
    if (!read_only) return ok_status();
    return failed_precondition_error(fmt::format("{} is open for reading only", log.path()));
  }

  Status append(const std::vector<std::string>& payloads) {
    const uint64_t before = log.size_bytes();
    Status done = log.append(payloads);
    if (done.code() == StatusCode::kResourceExhausted && done.details().empty()) {
      // The log's own limit, not the disk's, which has an errno: the older half goes.
      AXLE_RETURN_IF_ERROR(log.rewrite([](auto rows) { return newest(std::move(rows), kMaxEvidenceBytes / 2); }));
      done = log.append(payloads);
    }
    if (done.ok() && before / kCompactEveryBytes != log.size_bytes() / kCompactEveryBytes) {
      (void)log.rewrite([](auto rows) { return newest(std::move(rows), kMaxEvidenceBytes / 2); });
    }
    return done;
  }

  AppendLog log;
  bool read_only;
};

EvidenceStore::EvidenceStore(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

Result<EvidenceStore> EvidenceStore::open(std::string folder, bool read_only) {
  AXLE_ASSIGN_OR_RETURN(const std::string prepared, prepare_cache_folder(std::move(folder), read_only));
  return EvidenceStore(std::make_shared<State>(prepared, read_only));
}

const std::string& EvidenceStore::path() const noexcept { return state_->log.path(); }

Status EvidenceStore::append(std::span<const EvidenceRow> rows) {
  AXLE_RETURN_IF_ERROR(state_->refuse_read_only());
  std::vector<std::string> payloads;
  for (const EvidenceRow& row : rows) {
    AXLE_ASSIGN_OR_RETURN(std::string payload, to_evidence_payload(row));
    payloads.push_back(std::move(payload));
  }
  return state_->append(payloads);
}

Result<std::vector<EvidenceRow>> EvidenceStore::find(const EvidenceFilter& filter) const {
  std::vector<EvidenceRow> rows;
  const std::string tag = filter.model_digest.empty() ? "" : evidence_tag(filter.model_digest);
  const auto visit = [&](std::string_view payload) {
    auto row = parse_evidence_payload(payload);
    if (row.ok() && filter.matches(*row)) rows.push_back(*std::move(row));
  };
  AXLE_RETURN_IF_ERROR(state_->log.read(visit, [&](std::string_view payload) { return payload.starts_with(tag); }));
  return rows;
}

Result<EvidenceStats> EvidenceStore::stats() const {
  EvidenceStats stats;
  AXLE_ASSIGN_OR_RETURN(const LogScan scan, state_->log.read([&](std::string_view payload) {
    ++(parse_evidence_payload(payload).ok() ? stats.rows : stats.unreadable);
  }));
  stats.unreadable += scan.bad;
  stats.bytes = scan.bytes;
  return stats;
}

Result<uint64_t> EvidenceStore::rm(const EvidenceFilter& filter, bool all) {
  AXLE_RETURN_IF_ERROR(state_->refuse_read_only());
  if (!all && filter.model_digest.empty() && filter.candidate.empty() && filter.machine.empty()) {
    return invalid_argument_error("nothing says which evidence to remove")
        .with_hint("name a model, a candidate or a machine, or say all");
  }
  uint64_t removed = 0;
  AXLE_RETURN_IF_ERROR(state_->log.rewrite([&](std::vector<std::string> payloads) {
    std::erase_if(payloads, [&](const std::string& payload) {
      const auto row = parse_evidence_payload(payload);
      const bool goes = row.ok() ? filter.matches(*row) : all;
      removed += goes ? 1 : 0;
      return goes;
    });
    return payloads;
  }));
  return removed;
}

Result<uint64_t> EvidenceStore::rm_if(const EvidenceFilter& filter, const std::function<bool(const EvidenceRow&)>& goes) {
  AXLE_RETURN_IF_ERROR(state_->refuse_read_only());
  uint64_t removed = 0;
  AXLE_RETURN_IF_ERROR(state_->log.rewrite([&](std::vector<std::string> payloads) {
    std::erase_if(payloads, [&](const std::string& payload) {
      const auto row = parse_evidence_payload(payload);
      const bool gone = row.ok() && filter.matches(*row) && goes(*row);
      removed += gone ? 1 : 0;
      return gone;
    });
    return payloads;
  }));
  return removed;
}

Result<std::string> EvidenceStore::export_json(const EvidenceFilter& filter) const {
  AXLE_ASSIGN_OR_RETURN(const std::vector<EvidenceRow> rows, find(filter));
  Json list = Json::array();
  for (const EvidenceRow& row : rows) list.push_back(evidence_row_to_json(row));
  return canonical_json({{"format", kExportFormat}, {"rows", std::move(list)}, {"version", kExportVersion}});
}

Result<uint64_t> EvidenceStore::import_json(std::string_view json) {
  AXLE_RETURN_IF_ERROR(state_->refuse_read_only());
  AXLE_ASSIGN_OR_RETURN(const Json document, parse_json(json));
  JsonReader reader(document, "evidence export");
  const std::string format = reader.text("format");
  const int64_t version = reader.integer("version");
  const Json& rows = reader.array("rows");
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (format != kExportFormat || version != kExportVersion) {
    return invalid_argument_error(fmt::format("this is not an evidence export of version {}: it says \"{}\", version {}",
                                              kExportVersion, printable(format), version));
  }
  std::unordered_set<std::string> known;
  Simulations simulations;
  AXLE_RETURN_IF_ERROR(state_->log.read([&](std::string_view payload) {
    known.emplace(payload);
    if (const auto row = parse_evidence_payload(payload); row.ok()) (void)simulations.agrees(*row);
  }));
  std::vector<std::string> payloads;
  for (size_t i = 0; i < rows.size(); ++i) {
    AXLE_ASSIGN_OR_RETURN(const EvidenceRow row, read_evidence_row(rows[i], fmt::format("rows[{}]", i)));
    if (!simulations.agrees(row)) {
      return invalid_argument_error(fmt::format("rows[{}]: {} is {} here and {} in another row of the same library and machine",
                                                i, printable(row.key.candidate), row.simulated ? "simulated" : "real",
                                                row.simulated ? "real" : "simulated"))
          .with_hint("simulated and real figures are never mixed; remove one kind with `axle evidence rm --candidate NAME`");
    }
    AXLE_ASSIGN_OR_RETURN(std::string payload, to_evidence_payload(row));
    if (known.insert(payload).second) payloads.push_back(std::move(payload));
  }
  AXLE_RETURN_IF_ERROR(state_->append(payloads));
  return payloads.size();
}

Status EvidenceStore::compact() {
  AXLE_RETURN_IF_ERROR(state_->refuse_read_only());
  return state_->log.rewrite([](auto rows) { return newest(std::move(rows), kMaxEvidenceBytes / 2); });
}

}  // namespace axle
