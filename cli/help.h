// What commands declare of themselves, as text for a terminal, as a manual page, and as docs/cli.md.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "arguments.h"
#include "command.h"

namespace axle::cli {

// Columns for --help: the terminal's, 80 when stdout is none, never more than 100.
size_t help_width();
std::string help_text(const CommandDescription& command, size_t width);

// The overview of `axle --help`: at most 24 rows of 80 columns.
std::string overview_text(const std::vector<Command>& commands);

// What every command declares, in the order of the list. Runs none of them.
std::vector<CommandDescription> describe_commands(const std::vector<Command>& commands);
std::string manual_page(const std::vector<Command>& commands);
std::string markdown_reference(const std::vector<Command>& commands);

}  // namespace axle::cli
