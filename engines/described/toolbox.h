// The vendor's programs and libraries as found on this machine, with their versions, and what they are run in.
#pragma once

#include <string>
#include <vector>

#include "description.h"
#include "placeholders.h"

namespace axle::described {

struct FoundTool {
  std::string name;
  std::string path;
  std::string version;  // "" = has no version command
};

struct Toolbox {
  std::vector<FoundTool> tools;  // in the order of the description
  std::vector<std::string> searched;  // places, for messages

  // tool.NAME, tool.NAME.folder, version.NAME, folder, home.
  Values values(const Description& description) const;
};

struct ToolSearch {
  std::string explicit_path;                // of the first tool
  std::vector<std::string> python_folders;  // site-packages
  std::string scratch_folder;               // where version commands run
};

// UNAVAILABLE (hint: what installs it): a tool is missing, does not tell its version, or has one outside the accepted range.
Result<Toolbox> find_tools(const Description& description, const ToolSearch& search);

// Complete: "NAME=value" of every variable that a vendor's process sees. Makes the folder ${private}.
Result<std::vector<std::string>> environment_of(const Environment& environment, const Values& values);

}  // namespace axle::described
