// Checks of single policy values, shared by the TOML reader (which adds the place), flags and check_policy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/policy.h"

namespace axle {

inline constexpr int32_t kMaxPolicyThreads = 4096;
inline constexpr int32_t kMaxBatch = 4096;                    // rows of one run
inline constexpr int64_t kMaxBatchWaitNs = 1'000'000'000;

// Each: OK, or INVALID_ARGUMENT that names the value and what is allowed.
Status check_selector_text(std::string_view text);
Status check_precision_name(std::string_view name);
Status check_engine_name(std::string_view name);
Status check_kernel_word(std::string_view word);  // op words and kernel names
Status check_waived_field(std::string_view field);

// Known names in their normal form ("fp16" -> "f16"), unknown ones as they are; order kept.
std::vector<std::string> normal_precisions(const std::vector<std::string>& names);

// In fallback.kernel: the engine's own choice of kernel may stand in.
inline constexpr const char* kEngineKernel = "engine";

}  // namespace axle
