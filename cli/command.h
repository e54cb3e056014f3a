// The commands: one row each; `run` gets the arguments after the command's name and returns the exit code.
#pragma once

#include <string_view>

namespace axle::cli {

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view group;
  int (*run)(int argc, char** argv);
};

int run_doctor(int argc, char** argv);
int run_devices(int argc, char** argv);
int run_engines(int argc, char** argv);
int run_inspect(int argc, char** argv);
int run_plan(int argc, char** argv);
int run_run(int argc, char** argv);
int run_tune(int argc, char** argv);
int run_bench(int argc, char** argv);
int run_deploy(int argc, char** argv);
int run_explain(int argc, char** argv);
int run_compile(int argc, char** argv);
int run_evidence(int argc, char** argv);
int run_cache(int argc, char** argv);
int run_version(int argc, char** argv);

}  // namespace axle::cli
