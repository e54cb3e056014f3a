// The choice flags: everywhere a plan is made they mean the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "axle/policy.h"
#include "axle/runtime.h"
#include "axle/status.h"
#include "axle/tensor.h"
#include "axle/tune.h"

namespace axle::cli {

struct ChoiceFlags {
  std::string policy_file;
  std::vector<std::string> device, precision, allow_fallback, kernel;  // each may hold a comma-separated list
  std::string engine, threads, objective, tuning_budget;
  bool allow_simulated = false;
  std::string threads_flag = "--threads";  // bench counts callers with --threads and names this one otherwise

  void declare(Arguments& arguments);
  // The file, or with none the one that AXLE_CONFIG names (with_config), then each flag over it. INVALID_ARGUMENT, NOT_FOUND.
  Result<Policy> policy(bool with_config = true) const;
  // The first of these flags that was given, "" when none was.
  std::string first_given() const;
};

// A duration that a flag was given: INVALID_ARGUMENT names the flag.
Result<int64_t> duration_flag(const std::string& flag, const std::string& value);

// "a,b" as a list; empty pieces are left out.
std::vector<std::string> comma_separated(const std::string& text);

// --inputs FILE.npz, --input NAME=FILE.npy ..., --random SEED.
struct InputFlags {
  std::string npz;
  std::vector<std::string> named;
  int64_t random_seed = 0;
  bool random = false;

  void declare(Arguments& arguments);
  void finish(const Arguments& arguments);
  bool given() const { return !npz.empty() || !named.empty() || random; }
  // The model to work on: the one at `path`, or where no engine reads its format what it is converted to, for these inputs.
  Result<Model> open_model(Runtime& runtime, const std::string& path, bool verify = false,
                           const ProgressCallback& progress = {}) const;
  // Tensors by name; generated ones for --random, at sizes known to run or the usual ones; empty when nothing was given.
  Result<GeneratedSamples> load(Runtime& runtime, const Model& model, const Policy& policy) const;
  // The same, at sizes that a run has shown to work.
  Result<GeneratedSamples> load_to_measure(Runtime& runtime, const Model& model, const Policy& policy) const;

 private:
  Result<GeneratedSamples> load_or_generate(Runtime& runtime, const Model& model, const Policy& policy, bool may_run) const;
  Result<std::vector<NamedTensor>> load_files() const;
};

// -q, -v, --json of a command.
struct OutputFlags {
  bool json = false;
  bool quiet = false;
  bool verbose = false;

  void declare(Arguments& arguments);
};

}  // namespace axle::cli
