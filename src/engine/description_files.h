// Engine descriptions as the registry sees them: where they lie and what they are called. What stands in one is read by the
// plugin `described` (engines/described), which makes an engine of it.
#pragma once

#include <string>
#include <vector>

namespace axle {

// The plugin that makes engines of descriptions; no engine by itself.
inline constexpr const char* kDescribedPlugin = "described";
inline constexpr size_t kMaxDescriptionBytes = 1u << 20;

// AXLE_ENGINE_DESCRIPTIONS, $XDG_CONFIG_HOME/axle/engines (or ~/.config/axle/engines), <libdir>/axle/engines; those that exist.
std::vector<std::string> default_description_folders();
// Where `axle engines add` puts one; "" without a home.
std::string user_description_folder();

// The *.toml of a folder, or the file itself, sorted. Adds a sentence to `problems` for what is not read.
std::vector<std::string> description_files(const std::string& path, std::vector<std::string>& problems);

// engine.name of the description; the file's stem when that cannot be read: the plugin says what is wrong with it.
std::string described_engine_name(const std::string& path);

}  // namespace axle
