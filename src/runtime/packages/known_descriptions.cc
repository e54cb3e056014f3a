// Engine descriptions that come with axle and wait to be added.
#include <algorithm>
#include <filesystem>

#include "axle/engine_description.h"
#include "engine/description_files.h"
#include "engine/search_folders.h"
#include "runtime/packages/installed_files.h"

namespace axle {
namespace {

// Beside the library, or in share/ of a prefix.
std::string folder_of_known() {
  if (auto beside = find_installed_file("descriptions")) return *beside;
  for (const char* up : {"/..", "/../.."}) {  // lib, or lib/x86_64-linux-gnu
    std::error_code error;
    const auto shared = std::filesystem::canonical(own_library_folder() + up + "/share/axle/descriptions", error);
    if (!error) return shared.string();
  }
  return "";
}

}  // namespace

std::vector<EngineState> known_engine_descriptions(const std::vector<EngineState>& in_use) {
  std::vector<EngineState> known;
  const std::string folder = folder_of_known();
  if (folder.empty()) return known;
  std::vector<std::string> problems;
  for (const std::string& file : description_files(folder, problems)) {
    const std::string name = described_engine_name(file);
    if (std::ranges::find(in_use, name, &EngineState::name) != in_use.end()) continue;
    auto state = check_engine_description(file);
    if (!state.ok()) continue;  // its name is taken, or no plugin reads descriptions: then it is no engine here
    if (state->present) {
      state->present = false;
      state->resources.clear();  // it reaches nothing until it is added
      state->capabilities.clear();
      state->reason_code = StatusCode::kFailedPrecondition;
      state->reason = "its tools are here, but it is not in use";
      state->install_command = "axle engines add " + file;
    } else {
      state->notes.push_back("not in use: axle engines add " + file);
    }
    known.push_back(std::move(*state));
  }
  return known;
}

}  // namespace axle
