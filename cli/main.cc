// axle: the command line. One file per command; this one finds the command and prints the overview.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "axle/status.h"
#include "command.h"
#include "console.h"
#include "help.h"

namespace axle::cli {
namespace {

constexpr std::array kCommands = {
    Command{"run", "run a model once and write its outputs", "Use a model", run_run},
    Command{"tune", "measure the candidates here and remember the evidence", "Use a model", run_tune},
    Command{"bench", "latency and throughput, alone or against other engines", "Use a model", run_bench},
    Command{"deploy", "measure, select, compile; leave a lock to run by", "Use a model", run_deploy},
    Command{"plan", "decide without running; write a lock", "Understand", run_plan},
    Command{"explain", "why this plan: decisions, reasons, timeline", "Understand", run_explain},
    Command{"inspect", "what a model is and what each engine says of it", "Understand", run_inspect},
    Command{"devices", "what this machine has", "Machine", run_devices},
    Command{"engines", "what can run models here", "Machine", run_engines},
    Command{"doctor", "what is missing and how to install it", "Machine", run_doctor},
    Command{"compile", "build artefacts only", "Stores", run_compile},
    Command{"cache", "the artefact store", "Stores", run_cache},
    Command{"evidence", "the measurements", "Stores", run_evidence},
    Command{"version", "version and build", "Machine", run_version},
};

std::vector<Command> commands() { return {kCommands.begin(), kCommands.end()}; }

int unknown_command(const std::string& word, bool json) {
  std::string nearest;
  size_t best = 3;
  for (const Command& command : kCommands) {
    const size_t distance = edit_distance(word, command.name);
    if (distance < best) {
      best = distance;
      nearest = std::string(command.name);
    }
  }
  const std::string near = nearest.empty() ? "" : ", did you mean '" + nearest + "'?";
  return report_usage("there is no command '" + word + "'" + near, "axle --help", json);
}

// axle help, axle help COMMAND; --man and --markdown are for the build and docs/cli.md.
int run_help(const std::string& word) {
  if (word == "--man" || word == "--markdown") {
    std::fputs((word == "--man" ? manual_page(commands()) : markdown_reference(commands())).c_str(), stdout);
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name != word) continue;
    std::string name = word, flag = "--help";
    char* argv[] = {name.data(), flag.data(), nullptr};
    return command.run(2, argv);
  }
  return unknown_command(word, false);
}

}  // namespace

int main_of(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(overview_text(commands()).c_str(), stdout);
    return 2;
  }
  std::string word = argv[1];
  if (word == "help" && argc > 2) return run_help(argv[2]);
  if (word == "--help" || word == "-h" || word == "help") {
    std::fputs(overview_text(commands()).c_str(), stdout);
    return 0;
  }
  if (word == "--version") word = "version";
  for (const Command& command : kCommands) {
    if (command.name == word) return command.run(argc - 1, argv + 1);
  }
  return unknown_command(word, wants_json(argc, argv));
}

}  // namespace axle::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // libraries write files of their own: over a limit theirs fail, and not the command
  const int code = axle::cli::main_of(argc, argv);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  // Who closed the pipe has read what it wanted.
  if (errno == EPIPE) return code;
  std::fprintf(stderr, "axle: the output could not be written: %s\n", std::strerror(errno));
  return code == 0 ? axle::exit_code_for(axle::StatusCode::kResourceExhausted) : code;
}
