// The vendor's programs and libraries as found on this machine, with their versions, and what they are run in.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "description.h"
#include "placeholders.h"

namespace axle::described {

struct FoundTool {
  std::string name;
  std::string path;  // "" = not here, and only compiling needs it
  std::string version;  // "" = has no version command
};

struct Toolbox {
  std::vector<FoundTool> tools;  // in the order of the description
  std::vector<std::string> searched;  // places, for messages
  Status compiler;  // OK, or what compiling lacks

  // tool.NAME, tool.NAME.folder, version.NAME, folder, home.
  Values values(const Description& description) const;
};

struct ToolSearch {
  std::string explicit_path;                // of the first tool
  std::vector<std::string> python_folders;  // site-packages
  std::string scratch_folder;               // where version commands run
};

// Name and version of what compiles, and the description's digest: EngineInfo::toolchain. Empty unless artefacts are portable.
std::map<std::string, std::string> toolchain_of(const Description& description, const Toolbox& toolbox);

// UNAVAILABLE (hint: what installs it): a tool is missing that not only compiling needs, does not tell its version, or has one outside the accepted range.
Result<Toolbox> find_tools(const Description& description, const ToolSearch& search);

// What a program printed of itself.
struct Answer {
  std::optional<std::string> text;  // the group of the first line that matches; nothing = no line does
  std::string told;  // "npu-compile --version ended with exit code 0 and printed no line that matches "x"", for messages
};
// Runs `argv`, its placeholders expanded, in ${scratch} with the description's environment.
Result<Answer> ask_program(const Environment& environment, const std::vector<std::string>& argv, const std::string& pattern,
                           const Values& values, std::chrono::nanoseconds timeout);

// Complete: "NAME=value" of every variable that a vendor's process sees. Makes the folder ${private}.
Result<std::vector<std::string>> environment_of(const Environment& environment, const Values& values);

}  // namespace axle::described
