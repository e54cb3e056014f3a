// The canonical JSON form of an evidence row (docs/formats/evidence.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "axle/evidence.h"
#include "base/json.h"

namespace axle {

Json error_figures_to_json(const ErrorFigures& error);
Result<ErrorFigures> read_error_figures(const Json& json, const std::string& where);

Json evidence_key_to_json(const EvidenceKey& key);
Json evidence_row_to_json(const EvidenceRow& row);
// Strict: INVALID_ARGUMENT for an unknown or missing key, a negative time, or NaN.
Result<EvidenceRow> read_evidence_row(const Json& json, const std::string& where);

// "measured", "failed".
std::string_view evidence_kind_name(EvidenceKind kind) noexcept;
std::optional<EvidenceKind> parse_evidence_kind(std::string_view name) noexcept;

// A total order over rows that does not depend on how they were stored; equal keys: the later row last.
bool evidence_before(const EvidenceRow& a, const EvidenceRow& b);

}  // namespace axle
