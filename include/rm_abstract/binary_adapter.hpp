// Adapters for closed tools: compilers that are programs, runtimes that are libraries. Thin names over axle's engine descriptions
// (axle/black_box.h): run by axle through its cache, in processes of their own, with the log kept. Thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "axle/black_box.h"
#include "axle/cancel.h"
#include "axle/export.h"
#include "axle/runtime.h"
#include "axle/session.h"
#include "axle/status.h"
#include "rm_abstract/resource.hpp"

namespace rm_abstract {

struct CompilerOptions {
  std::vector<std::string> search_paths;  // folders, before PATH
  // Words of the command line, in which {input}, {output}, {config} and {flag} are replaced. Absent: --input MODEL --output FILE and
  // the profile's flags by name ("--optimization-level 3"); with a config file --config FILE.
  std::optional<std::vector<std::string>> arguments;
  std::vector<std::string> version_arguments;  // with a pattern the profile's compiler_version must be the one that is found
  std::string version_pattern;
  std::vector<std::string> log_must;  // patterns that its output must have to be believed
  std::vector<std::string> pci_ids;  // of the devices that it compiles for; none: what is built is called simulated
  int64_t timeout_ns = int64_t{600} * 1'000'000'000;
  std::string cache_folder;  // as axle::RuntimeOptions
  axle::ProgressCallback progress;
  axle::CancelToken cancel = axle::CancelToken::none();
};

// A compiler that is a program with flags.
class AXLE_API CLICompilerAdapter {
 public:
  CLICompilerAdapter(BuildProfile build_profile, std::string cli_name, CompilerOptions options = {});
  virtual ~CLICompilerAdapter();
  const BuildProfile& build_profile() const noexcept { return profile_; }
  // The engine description that this adapter is.
  axle::Result<std::string> description() const { return axle::describe_black_box(box_); }
  // Whether the program is here, in a version that the profile accepts.
  bool is_available();
  // Compiles a model of fixed shapes into a file, once: what the cache has is not compiled again. UNAVAILABLE: the program is not here;
  // or as it fails: then nothing is written, and what it printed is in axle::build_logs. CANCELLED. Blocks.
  axle::Result<BuildArtifact> compile(const std::string& input_path, const std::string& output_path,
                                      const std::string& model_id);

 protected:
  axle::BlackBox box_;

 private:
  axle::Status open();

  BuildProfile profile_;
  CompilerOptions options_;
  struct Engine;
  std::shared_ptr<Engine> engine_;
};

// A compiler that reads a file, made from a template in which {input}, {output} and {flag} are replaced; "" = lines NAME=VALUE.
class AXLE_API ConfigFileCompilerAdapter final : public CLICompilerAdapter {
 public:
  ConfigFileCompilerAdapter(BuildProfile build_profile, std::string cli_name, const std::string& config_template = "",
                            CompilerOptions options = {});
};

struct BinaryRuntimeOptions {
  // Of load, run, unload and last_error; empty = npu_load(path), npu_run(handle, inputs, ...), npu_unload(handle).
  std::map<std::string, axle::BlackBoxFunction> functions;
  std::vector<std::string> pci_ids;  // of the device; none: results are called simulated
  std::string cache_folder;
};

// A runtime that is a library with C functions, and a compiled file that it runs.
class AXLE_API BinaryRuntimeAdapter {
 public:
  BinaryRuntimeAdapter(BuildArtifact artifact, std::string runtime_so, BinaryRuntimeOptions options = {});
  ~BinaryRuntimeAdapter();
  // Checks the file against what was compiled and loads it, in a process of its own. DATA_LOSS: it is another; UNAVAILABLE: the library
  // is not here; FAILED_PRECONDITION: the model is another than it was.
  axle::Status load();
  // FAILED_PRECONDITION before load; otherwise as axle::Session::run.
  axle::Result<std::vector<axle::NamedTensor>> run(std::span<const axle::NamedTensor> inputs) const;
  void unload();
  // Null before load.
  const axle::Session* session() const noexcept { return session_ ? &*session_ : nullptr; }

 private:
  BuildArtifact artifact_;
  std::string runtime_so_;
  BinaryRuntimeOptions options_;
  std::shared_ptr<void> engine_;
  std::optional<axle::Session> session_;
};

}  // namespace rm_abstract
