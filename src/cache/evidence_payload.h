// One row of the evidence log as its line's payload: 16 digits that stand for the model, and the row's canonical JSON.
#pragma once

#include <string>
#include <string_view>

#include "axle/evidence.h"
#include "cache/append_log.h"

namespace axle {

inline constexpr uint64_t kMaxEvidenceBytes = 64u << 20;

// The log at `path` (StoreLayout::evidence).
AppendLog evidence_log(const std::string& path);

// The digits: other models' lines can be passed over without reading them.
std::string evidence_tag(std::string_view model_digest);
Result<std::string> to_evidence_payload(const EvidenceRow& row);
Result<EvidenceRow> parse_evidence_payload(std::string_view payload);

}  // namespace axle
