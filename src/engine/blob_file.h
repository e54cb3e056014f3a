// The file that an artefact's bytes were mapped from, for another process to map as well: nothing is copied, and both read the same
// pages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/shared_memory.h"

namespace axle {

// The file at `path`, when what it holds now is exactly `data`; nothing when there is none, or it holds anything else.
std::optional<SharedMemory> file_of(const std::string& path, std::string_view data);

}  // namespace axle
