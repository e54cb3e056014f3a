// Command-line arguments of one command, declared once: parsing, --help and its examples come from the same list.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace axle::cli {

class Arguments {
 public:
  Arguments(const std::string& command, const std::string& summary);
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

}  // namespace axle::cli
