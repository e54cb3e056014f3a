// Runs one program of the vendor's and judges it: success is that every predicate of the description holds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "axle/cancel.h"
#include "description.h"
#include "placeholders.h"

namespace axle::described {

// What an argument group is repeated for.
struct TensorItem {
  std::string name;
  size_t index = 0;
  std::string path;  // of its file; "" while compiling
  std::string dtype;
  std::vector<int64_t> shape;
};

struct StepContext {
  const Description& description;
  Values values;
  std::string work;  // the program's folder
  std::vector<TensorItem> inputs, outputs;
  std::function<bool()> cancelled;                // null = never
  std::function<void(double percent)> progress;   // null = nobody listens
};

inline constexpr size_t kMaxLogBytes = 4u << 20;         // of each stream of a step: what is judged
inline constexpr size_t kMaxKeptLogBytes = 256u << 10;  // of a step: what is kept

// Config files are written before, by the caller. Appends what it printed, and what was found, to `log`. CANCELLED,
// DEADLINE_EXCEEDED; what the failure table says; UNAVAILABLE when a signal ended it; UNKNOWN when a predicate does not hold.
Status run_step(const Step& step, const StepContext& context, std::string& log);

// Expands the argument list; groups are repeated.
Result<std::vector<std::string>> expand_argv(const std::vector<Argument>& argv, const StepContext& context);
// Writes the files of `configs`.
Status write_configs(const std::vector<ConfigFile>& configs, const Values& values);

// The first rule that fits, or nullptr.
const FailureRule* find_failure(const std::vector<FailureRule>& rules, const std::string& log, int exit_code, int signal);
// Why the reports, patterns and files do not show success; OK when they do.
Status check_success(const Step& step, const Values& values, const std::string& log);

}  // namespace axle::described
