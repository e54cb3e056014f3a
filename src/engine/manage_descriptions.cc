#include <fmt/core.h>

#include <filesystem>

#include "axle/engine_description.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/description_files.h"

namespace axle {
namespace {

Result<std::string> absolute(const std::string& path) {
  std::error_code error;
  const std::string whole = std::filesystem::canonical(path, error).string();
  if (error) return not_found_error(fmt::format("{}: {}", path, error.message())).with_hint("check the path");
  return whole;
}

std::string known_names(const std::string& folder) {
  std::vector<std::string> ignored, names;
  for (const std::string& file : description_files(folder, ignored))
    names.push_back(std::filesystem::path(file).stem().string());
  return names.empty() ? fmt::format("{} holds none", folder) : fmt::format("{} holds {}", folder, join(names, ", "));
}

Result<std::string> user_folder() {
  std::string folder = user_description_folder();
  if (folder.empty())
    return failed_precondition_error("there is no folder for descriptions").with_hint("set HOME or XDG_CONFIG_HOME");
  return folder;
}

}  // namespace

std::string engine_description_folder() { return user_description_folder(); }

Result<EngineState> check_engine_description(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const std::string file, absolute(path));
  AXLE_RETURN_IF_ERROR(read_file(file, kMaxDescriptionBytes));
  EngineRegistryOptions options;
  options.descriptions = {file};
  const std::string name = described_engine_name(file);
  AXLE_ASSIGN_OR_RETURN(const auto registry, EngineRegistry::create(std::move(options)));
  const auto known = registry->peek(name);
  if (known.ok() && known->description_path != file) {
    return already_exists_error(fmt::format("{} describes '{}', and there is an engine of that name: {}", path, name,
                                            known->description_path.empty() ? known->plugin_path : known->description_path))
        .with_hint("give engine.name another value");
  }
  if (!known.ok())
    return invalid_argument_error(fmt::format("{} is no engine description: {}", path, join(registry->problems(), "; ")));
  AXLE_ASSIGN_OR_RETURN(EngineState state, registry->state(name));
  if (state.present || state.reason_code == StatusCode::kUnavailable) return state;
  return Status(state.reason_code, state.reason).with_hint(state.install_command);
}

Result<AddedDescription> add_engine_description(const std::string& path) {
  AddedDescription added;
  AXLE_ASSIGN_OR_RETURN(added.state, check_engine_description(path));
  AXLE_ASSIGN_OR_RETURN(const std::string folder, user_folder());
  AXLE_RETURN_IF_ERROR(make_dirs(folder, 0700));
  added.path = folder + "/" + added.state.name + ".toml";
  added.replaced = std::filesystem::exists(added.path);
  AXLE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxDescriptionBytes));
  AXLE_RETURN_IF_ERROR(write_file_atomic(added.path, text, kPrivateFileMode));
  return added;
}

Result<std::string> remove_engine_description(const std::string& name) {
  AXLE_ASSIGN_OR_RETURN(const std::string folder, user_folder());
  const std::string path = folder + "/" + name + ".toml";
  const bool plain = !name.empty() && name.find('/') == std::string::npos && name[0] != '.';
  if (!plain || !std::filesystem::exists(path))
    return not_found_error(fmt::format("there is no description of '{}'", printable(name, 64))).with_hint(known_names(folder));
  AXLE_RETURN_IF_ERROR(remove_tree(path));
  return path;
}

}  // namespace axle
