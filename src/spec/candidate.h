// Candidate text: engine@resource/precision/tN/preset, precision~variant where a copy of the model runs, and the shorter forms that name a whole engine or resource.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/plan.h"

namespace axle {

// [a-z0-9_][a-z0-9_.+-]*, at most 64 bytes: engine, precision and preset names.
bool is_candidate_word(std::string_view word) noexcept;

// The candidates of a plan, each once, in the order of their first part.
std::vector<Candidate> candidates_of(const std::vector<Partition>& partitions);

// A plan of several parts, as a name in evidence and decisions: its candidates in the order of their first part, and which
// nodes each runs, as the first 8 hex digits of the cut's digest:
//   mixed:openvino@cpu:0/f32/t2/default+onnxruntime@cpu:0/f32/t2/default#1a2b3c4d
struct MixedName {
  std::vector<Candidate> candidates;  // at least one, each once
  std::string cut;
  std::string format() const;
  friend bool operator==(const MixedName&, const MixedName&) = default;
};
bool is_mixed_name(std::string_view text) noexcept;
Result<MixedName> parse_mixed_name(std::string_view text);
// OK for a candidate and for a mixed name.
Status check_candidate_name(std::string_view text);

}  // namespace axle
