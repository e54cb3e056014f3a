// Custom-operator libraries: code that a policy lets an engine load ([engines.NAME] custom_ops = "libmine.so"). Named by file only
// and taken from trusted folders, pinned by digest in plans, so that a plan runs the code it was made with or none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/policy.h"
#include "axle/status.h"

namespace axle {

// An engine that can load such libraries declares a text option of this name.
inline constexpr std::string_view kCustomOpsOption = "custom_ops";

// AXLE_CUSTOM_OPS_PATH (absolute folders, separated by colons), else $XDG_DATA_HOME/axle/custom-ops, else
// ~/.local/share/axle/custom-ops.
std::vector<std::string> custom_ops_folders();

// "liba.so,libb.so" or the pinned form, in the order given, with the digests of the files that are there now:
// "liba.so#sha256:...,libb.so#sha256:...". "" gives "".
// INVALID_ARGUMENT: not a list of file names. NOT_FOUND: in no trusted folder. PERMISSION_DENIED: others may write the file or
// its folder, or it is a link.
Result<std::string> pin_custom_ops(std::string_view value);
// Pins those of every engine.
Status pin_custom_ops(Policy& policy);

// Paths of pinned libraries, separated by colons: what the engine is handed. Codes as above; ABORTED: a file is no longer the
// pinned one.
Result<std::string> custom_ops_paths(std::string_view pinned);

}  // namespace axle
