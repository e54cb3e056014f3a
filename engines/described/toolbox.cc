#include "toolbox.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "patterns.h"

extern char** environ;

namespace axle::described {
namespace {

namespace fs = std::filesystem;

constexpr auto kVersionTimeout = std::chrono::seconds(30);
constexpr std::string_view kPython = "python:";
constexpr const char* kSystemLibraries[] = {"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                            "/usr/lib"};

bool usable(const std::string& path, bool is_program) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), is_program ? X_OK : R_OK) == 0;
}

void add_list(std::vector<std::string>& folders, const char* list) {
  if (list == nullptr) return;
  for (const std::string_view folder : split(list, ':')) {
    if (folder.starts_with('/')) folders.emplace_back(folder);
  }
}

Values basic_values(const Description& description) {
  const char* home = std::getenv("HOME");
  return {{"folder", description.folder}, {"home", home == nullptr ? "/nonexistent" : home}};
}

// The variable first, then the described folders in order, then the system's.
Result<std::vector<std::string>> candidates(const ToolSpec& tool, const Description& description, const ToolSearch& search) {
  std::vector<std::string> files;
  std::vector<std::string> folders;
  const char* set = tool.variable.empty() ? nullptr : std::getenv(tool.variable.c_str());
  if (set != nullptr && set[0] == '/') {
    files.emplace_back(set);
    for (const char* below : {"", "/bin", "/lib"}) folders.push_back(set + std::string(below));
  }
  for (const std::string& path : tool.paths) {
    AXLE_ASSIGN_OR_RETURN(std::string expanded, expand(path, basic_values(description)));
    if (!expanded.starts_with(kPython)) {
      folders.push_back(std::move(expanded));
      continue;
    }
    const std::string below = expanded.substr(kPython.size());
    for (const std::string& site : search.python_folders) folders.push_back(site + "/" + below);
  }
  if (tool.is_program || tool.is_library) add_list(folders, std::getenv(tool.is_library ? "LD_LIBRARY_PATH" : "PATH"));
  if (tool.is_library) folders.insert(folders.end(), std::begin(kSystemLibraries), std::end(kSystemLibraries));
  for (const std::string& folder : folders) files.push_back(folder + "/" + tool.file);
  return files;
}

Status missing(const Description& description, const ToolSpec& tool, const std::vector<std::string>& files) {
  std::string places;
  for (size_t i = 0; i < files.size() && i < 4; ++i) places += (i == 0 ? "" : ", ") + files[i];
  const std::string variable = tool.variable.empty() ? "" : fmt::format(", or set {} to its folder", tool.variable);
  return unavailable_error(fmt::format("the {} '{}' ({}) was not found; looked for {}{}",
                                       tool.is_program   ? "program"
                                       : tool.is_library ? "library"
                                                         : "file",
                                       tool.file, tool.name, places,
                                       files.size() > 4 ? fmt::format(" and {} more", files.size() - 4) : ""))
      .with_hint(description.info.install_command + variable);
}

// For a program the arguments; for a library, which cannot be run, a whole command.
Result<std::string> version_of(const ToolSpec& tool, const std::string& path, const Description& description, Values values,
                               const ToolSearch& search) {
  AXLE_ASSIGN_OR_RETURN(const ScratchDir scratch, ScratchDir::create(search.scratch_folder, "version"));
  values["tool"] = path;
  values["private"] = scratch.file("home");
  values["scratch"] = scratch.path();
  std::vector<std::string> argv = tool.version_argv;
  if (tool.is_program) argv.insert(argv.begin(), "${tool}");
  AXLE_ASSIGN_OR_RETURN(const Answer answer,
                        ask_program(description.environment, argv, tool.version_pattern, values, kVersionTimeout));
  if (answer.text && !answer.text->empty()) return *answer.text;
  return unavailable_error(fmt::format("{} does not tell its version: {}", path, answer.told)).with_hint("check that it runs");
}

Result<std::string> path_of(const ToolSpec& tool, const std::string& explicit_path, const Description& description,
                            const ToolSearch& search, std::vector<std::string>& searched) {
  std::vector<std::string> files = {explicit_path};
  if (explicit_path.empty()) {
    AXLE_ASSIGN_OR_RETURN(files, candidates(tool, description, search));
  }
  searched.insert(searched.end(), files.begin(), files.end());
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const std::string& file) { return usable(file, tool.is_program); });
  if (found == files.end()) return missing(description, tool, files);
  std::error_code error;
  const std::string real = fs::canonical(*found, error).string();
  return error ? *found : real;
}

}  // namespace

Values Toolbox::values(const Description& description) const {
  Values values = basic_values(description);
  for (const FoundTool& tool : tools) {
    if (tool.path.empty()) continue;
    values["tool." + tool.name] = tool.path;
    values["tool." + tool.name + ".folder"] = fs::path(tool.path).parent_path().string();
    values["version." + tool.name] = tool.version;
  }
  return values;
}

Result<Toolbox> find_tools(const Description& description, const ToolSearch& search) {
  Toolbox toolbox;
  for (const ToolSpec& tool : description.tools) {
    const std::string explicit_path = toolbox.tools.empty() ? search.explicit_path : "";
    auto path = path_of(tool, explicit_path, description, search, toolbox.searched);
    if (!path && !(tool.only_to_compile && path.error().code() == StatusCode::kUnavailable)) return std::move(path).error();
    if (!path && toolbox.compiler.ok()) toolbox.compiler = path.error();
    toolbox.tools.push_back({tool.name, path.value_or(""), ""});
  }
  if (std::all_of(toolbox.tools.begin(), toolbox.tools.end(), [](const FoundTool& tool) { return tool.path.empty(); }))
    return toolbox.compiler;
  for (size_t i = 0; i < toolbox.tools.size(); ++i) {
    const ToolSpec& tool = description.tools[i];
    if (tool.version_argv.empty() || toolbox.tools[i].path.empty()) continue;
    FoundTool& found = toolbox.tools[i];
    AXLE_ASSIGN_OR_RETURN(found.version, version_of(tool, found.path, description, toolbox.values(description), search));
    AXLE_ASSIGN_OR_RETURN(const auto bounds, parse_version_bounds(tool.versions));
    if (version_within(found.version, bounds)) continue;
    return unavailable_error(
               fmt::format("{} is version {}; this description accepts {}", found.path, found.version, tool.versions))
        .with_hint(description.info.install_command);
  }
  return toolbox;
}

std::map<std::string, std::string> toolchain_of(const Description& description, const Toolbox& toolbox) {
  std::map<std::string, std::string> toolchain;
  if (!description.portable) return toolchain;
  toolchain["description"] = description.digest;
  for (size_t i = 0; i < toolbox.tools.size(); ++i) {
    if (compiles_with(description, description.tools[i])) toolchain["tool." + toolbox.tools[i].name] = toolbox.tools[i].version;
  }
  return toolchain;
}

Result<Answer> ask_program(const Environment& environment, const std::vector<std::string>& argv, const std::string& pattern,
                           const Values& values, std::chrono::nanoseconds timeout) {
  SubprocessOptions options;
  for (const std::string& argument : argv) {
    AXLE_ASSIGN_OR_RETURN(std::string text, expand(argument, values));
    options.argv.push_back(std::move(text));
  }
  options.inherit_env = false;
  AXLE_ASSIGN_OR_RETURN(options.env, environment_of(environment, values));
  AXLE_ASSIGN_OR_RETURN(options.cwd, expand("${scratch}", values));
  options.timeout = timeout;
  AXLE_ASSIGN_OR_RETURN(const SubprocessResult result, run_subprocess(options));
  Answer answer;
  if (const auto match = find_line(result.stdout_text + "\n" + result.stderr_text, pattern)) answer.text = match->group;
  answer.told = fmt::format("{} ended with {} and printed no line that matches \"{}\"", join(options.argv, " "),
                            result.outcome(), pattern);
  return answer;
}

Result<std::vector<std::string>> environment_of(const Environment& environment, const Values& values) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; environment.inherited && entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  if (!environment.inherited) variables = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  for (const std::string& name : environment.unset) variables.erase(name);
  if (environment.private_home) {
    const auto home = values.find("private");
    if (home == values.end()) return internal_error("a vendor's process has no private folder");
    AXLE_RETURN_IF_ERROR(make_dirs(home->second, 0700));
    variables["HOME"] = variables["TMPDIR"] = home->second;
  }
  for (const auto& [name, value] : environment.set) {
    AXLE_ASSIGN_OR_RETURN(variables[name], expand(value, values));
  }
  std::vector<std::string> list;
  for (const auto& [name, value] : variables) list.push_back(name + "=" + value);
  return list;
}

}  // namespace axle::described
