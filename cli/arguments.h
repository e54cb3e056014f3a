// Command-line arguments of one command, declared once: parsing, --help, the manual page and docs/cli.md come from the same list.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace axle::cli {

// What a command declares of itself.
struct CommandDescription {
  struct Line {
    std::string heading;  // "" for positionals
    std::string names;  // "-o,--output", "MODEL"
    std::string value;  // "FILE"; "" for flags and positionals
    std::string help;
    bool required = false;
    bool repeated = false;
  };
  std::string name;
  std::string summary;
  std::vector<Line> lines;
  std::vector<std::pair<std::string, std::string>> examples;  // command line, what it is for
};

class Arguments {
 public:
  Arguments(std::string command, std::string summary);
  ~Arguments();

  // Each binds `target`, which keeps its value when the argument is not given.
  void positional(std::string& target, const std::string& name, const std::string& help, bool required = true);
  void positionals(std::vector<std::string>& target, const std::string& name, const std::string& help);
  void option(std::string& target, const std::string& flag, const std::string& value, const std::string& help);
  void option(int64_t& target, const std::string& flag, const std::string& value, const std::string& help);
  void option(std::vector<std::string>& target, const std::string& flag, const std::string& value, const std::string& help);
  void flag(bool& target, const std::string& flag, const std::string& help);
  // Later options appear under this heading.
  void group(std::string heading);
  // Shown at the end of --help.
  void example(std::string command_line, std::string what);
  // Whether `flag` was given on the command line.
  bool given(const std::string& flag) const;

  // -1: go on. Otherwise the exit code: 0 after --help, 2 after a usage error (already printed).
  int parse(int argc, char** argv);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// While a sink is set, parse() hands it the description and returns 0 instead of parsing: how the manual asks each command.
void set_description_sink(std::function<void(const CommandDescription&)> sink);

}  // namespace axle::cli
