// The manual page and docs/cli.md, from what the commands declare.
#include <array>
#include <string_view>

#include "axle/version.h"
#include "help.h"

namespace axle::cli {
namespace {

struct Row {
  const char* name;
  const char* text;
};

constexpr std::array kEnvironment = {
    Row{"AXLE_CACHE_DIR",
        "the cache folder: artefacts, evidence, what is remembered of models; default $XDG_CACHE_HOME/axle, else "
        "~/.cache/axle"},
    Row{"AXLE_CONFIG", "a policy file in TOML for every command that makes a plan and is given no --policy; flags override it"},
    Row{"AXLE_ENGINE_PATH", "folders with more engine plugins, separated by colons"},
    Row{"AXLE_ENGINE_DESCRIPTIONS", "folders with more engine descriptions, separated by colons"},
    Row{"AXLE_CUSTOM_OPS_PATH",
        "folders with libraries of custom operators, separated by colons; else ~/.local/share/axle/custom-ops"},
    Row{"AXLE_ALLOW_SIMULATED", "1: emulated devices count as devices everywhere, as with --allow-simulated"},
    Row{"AXLE_WORKER_MEMORY", "what an engine in a process of its own may allocate: 2GiB; unset: no limit"},
    Row{"AXLE_WORKER_TIMEOUT", "how long one call may take it before its process is ended: 30s; unset: no limit"},
    Row{"AXLE_NAME_LIBRARY",
        "the vendor library of engine NAME, for example AXLE_ONNXRUNTIME_LIBRARY=/opt/ort/libonnxruntime.so"},
    Row{"AXLE_LOG", "what is logged to stderr: LEVEL[,module=LEVEL], with the levels trace, debug, info, warning, error"},
    Row{"COLUMNS", "how wide tables may be; else as wide as the terminal, 140 where there is none"},
    Row{"NO_COLOR", "set to anything: no colours"},
};

constexpr std::array kExitCodes = {
    Row{"0", "done"},
    Row{"2", "the command line was not understood"},
    Row{"3", "bad input: model, policy, tensor"},
    Row{"4", "the policy cannot be satisfied here; nothing was substituted"},
    Row{"5", "drift from the lock"},
    Row{"6", "an engine failed or is missing"},
    Row{"7", "a resource is exhausted or a deadline has passed"},
    Row{"8", "cancelled"},
    Row{"70", "an internal error: a bug of axle"},
};

// Text of a manual page: hyphens stay hyphens, nothing is a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (!out.empty() && (out.front() == '.' || out.front() == '\'')) out.insert(0, "\\&");
  return out;
}

std::string left_side(const CommandDescription::Line& line) {
  std::string names = line.names;
  if (const size_t comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
  return names;
}

std::string roff_command(const CommandDescription& command) {
  std::string out = ".SS axle " + roff(command.name) + "\n" + roff(command.summary) + "\n";
  for (const CommandDescription::Line& line : command.lines) {
    out += ".TP\n.B " + roff(left_side(line));
    if (!line.value.empty()) out += " \\fI" + roff(line.value) + "\\fR";
    out += "\n" + roff(line.help) + "\n";
  }
  for (const auto& [line, what] : command.examples) {
    out += ".PP\n.nf\n.RS\n" + roff(line) + "\n.RE\n.fi\n" + roff(what) + ".\n";
  }
  return out;
}

template <size_t N>
std::string roff_rows(const std::array<Row, N>& rows) {
  std::string out;
  for (const Row& row : rows) out += ".TP\n.B " + roff(row.name) + "\n" + roff(row.text) + "\n";
  return out;
}

// Text of a table cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_command(const CommandDescription& command) {
  std::string out = "## axle " + command.name + "\n\n" + command.summary + "\n\n| argument | meaning |\n|---|---|\n";
  for (const CommandDescription::Line& line : command.lines) {
    out += "| `" + left_side(line) + (line.value.empty() ? "" : " " + line.value) + "` | " + cell(line.help) + " |\n";
  }
  out += "\n";
  for (const auto& [line, what] : command.examples) out += "```\n" + line + "\n```\n" + what + "\n\n";
  return out;
}

template <size_t N>
std::string markdown_rows(const char* what, const std::array<Row, N>& rows) {
  std::string out = std::string("| ") + what + " | meaning |\n|---|---|\n";
  for (const Row& row : rows) out += std::string("| `") + row.name + "` | " + cell(row.text) + " |\n";
  return out;
}

}  // namespace

std::string manual_page(const std::vector<Command>& commands) {
  std::string out = ".TH AXLE 1 \"\" \"axle " + roff(build_info().version) +
                    "\" \"User Commands\"\n"
                    ".SH NAME\naxle \\- run a model on the best of what a machine has, and say why\n"
                    ".SH SYNOPSIS\n.B axle\n.I COMMAND\n[\\fIARGS\\fR]\n"
                    ".SH DESCRIPTION\n"
                    "axle finds out what can run a model here, measures the choices, writes the decision down as a plan with a "
                    "reason for every candidate that it turned down, and executes exactly that plan or refuses and says why.\n"
                    ".SH COMMANDS\n";
  for (const CommandDescription& command : describe_commands(commands)) out += roff_command(command);
  out += ".SH ENVIRONMENT\n" + roff_rows(kEnvironment);
  out += ".SH EXIT STATUS\n" + roff_rows(kExitCodes);
  return out;
}

std::string markdown_reference(const std::vector<Command>& commands) {
  std::string out =
      "# The command line\n\n"
      "Made by `axle help --markdown` from what the commands declare; a test compares the two.\n\n"
      "With `--json` a command prints one JSON document on stdout and nothing else there ([formats](formats)); diagnostics go "
      "to "
      "stderr.\nThe flags under Choice mean the same everywhere a plan is made; each overrides what the policy file says.\n\n";
  for (const CommandDescription& command : describe_commands(commands)) out += markdown_command(command);
  out += "## Environment\n\n" + markdown_rows("variable", kEnvironment);
  out += "\n## Exit codes\n\n" + markdown_rows("code", kExitCodes);
  out += "\n[exit-codes.md](formats/exit-codes.md) says which error leads to which.\n";
  return out;
}

}  // namespace axle::cli
