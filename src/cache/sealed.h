// Sealed text: a payload behind one line that names its kind, version and digest, so that any changed bit shows.
//   "axle-manifest 1 sha256:<64 hex>\n" payload
#pragma once

#include <string>
#include <string_view>

#include "axle/status.h"

namespace axle {

// `kind` holds the version: "axle-manifest 1".
std::string seal(std::string_view kind, std::string_view payload);
// The payload, a view into `text`. DATA_LOSS when anything is not as seal() wrote it.
Result<std::string_view> unseal(std::string_view kind, std::string_view text);

}  // namespace axle
