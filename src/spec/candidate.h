// Candidate text: engine@resource/precision/tN/preset, and the shorter forms that name a whole engine or resource.
#pragma once

#include <string>
#include <string_view>

#include "axle/plan.h"

namespace axle {

// [a-z0-9_][a-z0-9_.+-]*, at most 64 bytes: engine, precision and preset names.
bool is_candidate_word(std::string_view word) noexcept;

}  // namespace axle
