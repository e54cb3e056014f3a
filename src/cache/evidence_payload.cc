#include "cache/evidence_payload.h"

#include <fmt/core.h>

#include "base/hash.h"
#include "base/json.h"
#include "spec/evidence_json.h"

namespace axle {
namespace {

constexpr size_t kTagDigits = 16;

}  // namespace

AppendLog evidence_log(const std::string& path) { return {path, "evidence 1", kMaxEvidenceBytes}; }

std::string evidence_tag(std::string_view model_digest) { return sha256_of(model_digest).hex().substr(0, kTagDigits); }

Result<std::string> to_evidence_payload(const EvidenceRow& row) {
  AXLE_ASSIGN_OR_RETURN(const std::string json, canonical_json(evidence_row_to_json(row)));
  return fmt::format("{} {}", evidence_tag(row.key.model_digest), json);
}

Result<EvidenceRow> parse_evidence_payload(std::string_view payload) {
  if (payload.size() < kTagDigits + 2 || payload[kTagDigits] != ' ') return data_loss_error("an evidence row has no tag");
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(payload.substr(kTagDigits + 1), AppendLog::kMaxRecordBytes));
  return read_evidence_row(json, "evidence row");
}

}  // namespace axle
