// ${name} in the texts of a description. "$$" is a dollar sign; any other '$' stands for itself.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "axle/status.h"

namespace axle::described {

using Values = std::map<std::string, std::string, std::less<>>;

inline constexpr size_t kMaxExpandedBytes = 16u << 20;

// INVALID_ARGUMENT names a placeholder that has no value here, or one that does not end.
Result<std::string> expand(std::string_view text, const Values& values);
// The same without values: `known(name)` says which are allowed.
Status check_placeholders(std::string_view text, const std::function<bool(std::string_view)>& known);

}  // namespace axle::described
