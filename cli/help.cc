#include "help.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "console.h"

namespace axle::cli {
namespace {

constexpr size_t kHelpColumn = 30;  // where the explanation of an argument begins
constexpr size_t kWidest = 100;

// Lines of at most `width` columns, broken at spaces.
std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  for (size_t at = 0; at < text.size();) {
    const size_t space = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, space - at);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    at = space + 1;
  }
  return lines;
}

// "-o, --output PATH".
std::string left_side(const CommandDescription::Line& line) {
  std::string names = line.names;
  if (const size_t comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
  return line.value.empty() ? names : names + " " + line.value;
}

void add_line(const CommandDescription::Line& line, size_t width, std::string& out) {
  std::string left = "  " + left_side(line);
  const std::vector<std::string> help = wrapped(line.help, width > kHelpColumn + 20 ? width - kHelpColumn : 20);
  if (left.size() + 2 > kHelpColumn) {
    out += left + "\n";
    left.clear();
  }
  for (const std::string& piece : help) {
    left.resize(kHelpColumn, ' ');
    out += left + piece + "\n";
    left.clear();
  }
}

std::string usage_of(const CommandDescription& command) {
  std::string usage = "axle " + command.name;
  const bool has_options =
      std::any_of(command.lines.begin(), command.lines.end(), [](const auto& line) { return !line.heading.empty(); });
  if (has_options) usage += " [OPTIONS]";
  for (const CommandDescription::Line& line : command.lines) {
    if (!line.heading.empty()) continue;
    const std::string name = line.names + (line.repeated ? "..." : "");
    usage += line.required ? " " + name : " [" + name + "]";
  }
  return usage;
}

}  // namespace

size_t help_width() {
  if (::isatty(STDOUT_FILENO) == 0) return 80;
  return std::clamp<size_t>(static_cast<size_t>(terminal_width()), 60, kWidest);
}

std::string help_text(const CommandDescription& command, size_t width) {
  std::string out;
  for (const std::string& line : wrapped(command.summary, width)) out += line + "\n";
  out += "\nusage: " + usage_of(command) + "\n";
  std::string heading = "none yet";
  for (const CommandDescription::Line& line : command.lines) {
    if (line.heading != heading) {
      heading = line.heading;
      out += "\n" + (heading.empty() ? "" : heading + "\n");
    }
    add_line(line, width, out);
  }
  out += "\nExamples\n";
  for (const auto& [line, what] : command.examples) out += "  " + line + "\n      " + what + "\n";
  return out;
}

std::string overview_text(const std::vector<Command>& commands) {
  std::string out =
      "axle runs a model on the best of what this machine has, and says why.\n"
      "usage: axle COMMAND [ARGS]    axle COMMAND --help says more\n\n";
  for (const char* heading : {"Use a model", "Understand", "Machine", "Stores"}) {
    std::string left = heading;
    for (const Command& command : commands) {
      if (command.group != heading) continue;
      left.resize(13, ' ');
      std::string name(command.name);
      name.resize(10, ' ');
      out += left + name + std::string(command.summary) + "\n";
      left.clear();
    }
  }
  return out + "\nStart here: axle doctor, then axle run model.onnx --random 1\n";
}

std::vector<CommandDescription> describe_commands(const std::vector<Command>& commands) {
  std::vector<CommandDescription> all;
  set_description_sink([&](const CommandDescription& description) { all.push_back(description); });
  for (const Command& command : commands) {
    std::string name(command.name);
    char* argv[] = {name.data(), nullptr};
    command.run(1, argv);
  }
  set_description_sink(nullptr);
  return all;
}

}  // namespace axle::cli
