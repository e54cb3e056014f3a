// The error report: what candidates at a lower precision differ by from the reference, for each output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/evidence.h"
#include "axle/explain.h"

namespace axle {

struct CandidateError {
  std::string candidate;
  const ErrorFigures* error = nullptr;
};

// A table of those whose precision is not the reference's, the outputs of each below each other; "" when there are none. Thread
// counts and presets of one engine, resource and precision are told once, by their largest error. Without style.verbose the worst
// few outputs of each.
std::string render_error_table(const std::vector<CandidateError>& errors, const TextStyle& style, std::string_view indent = "");

}  // namespace axle
