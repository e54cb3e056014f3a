// Engine descriptions: TOML files that make an engine of a vendor's closed compiler and runtime (docs/formats/engine-
// description.md). Checking one, and the user's own folder of them. Thread-safe; nothing is kept between calls.
#pragma once

#include <string>
#include <vector>

#include "axle/engine.h"
#include "axle/export.h"
#include "axle/status.h"

namespace axle {

// $XDG_CONFIG_HOME/axle/engines, or ~/.config/axle/engines; "" without a home.
AXLE_API std::string engine_description_folder();

// The engine that the description at `path` makes, opened: its tools are looked for and their version commands run. A tool that
// is missing or has another version is no failure: `present` is false and `reason` says what to do.
// INVALID_ARGUMENT "file:line:column: ..." for a description that cannot be read; NOT_FOUND, PERMISSION_DENIED for its file;
// ALREADY_EXISTS when a plugin has its name.
AXLE_API Result<EngineState> check_engine_description(const std::string& path);

// The descriptions that come with axle and whose engines are not in `in_use`: never present, each with the reason (a tool that is missing, or
// only that nobody added it) and what to do about it. Sorted by name.
AXLE_API std::vector<EngineState> known_engine_descriptions(const std::vector<EngineState>& in_use);

struct AddedDescription {
  std::string path;  // where it is now
  bool replaced = false;  // there was one of that name
  EngineState state;  // as check_engine_description gives it
};
// Checks, then copies it into the user's folder as NAME.toml. Codes as above, and those of writing a file.
AXLE_API Result<AddedDescription> add_engine_description(const std::string& path);
// Takes NAME.toml out of the user's folder; gives its path. NOT_FOUND names those that are there.
AXLE_API Result<std::string> remove_engine_description(const std::string& name);

}  // namespace axle
