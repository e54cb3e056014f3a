// The vendor's compiler as a chain of programs: each a command line, some with config files made before.
#pragma once

#include <memory>

#include "artefact_record.h"
#include "step_runner.h"
#include "toolbox.h"

namespace axle::described {

// One step of the chain.
class CliCompilerAdapter {
 public:
  explicit CliCompilerAdapter(const Step& step) : step_(step) {}
  virtual ~CliCompilerAdapter() = default;
  // Codes as run_step. What a failed step wrote is left for the caller to discard.
  Status run(const StepContext& context, std::string& log) const;

 protected:
  virtual Status prepare(const StepContext&) const { return ok_status(); }
  const Step& step_;
};

// A step that reads files which are made for it.
class ConfigFileCompilerAdapter final : public CliCompilerAdapter {
 public:
  using CliCompilerAdapter::CliCompilerAdapter;

 protected:
  Status prepare(const StepContext& context) const override;
};

std::unique_ptr<CliCompilerAdapter> make_compiler_adapter(const Step& step);

// Compiles the graph into args.scratch_folder; on failure nothing that could be taken for an artefact is left there. Throws
// only what the kit throws.
Result<kit::Manifest> compile_described(const Description& description, const Toolbox& toolbox, const kit::CompileArgs& args);

// The values of the description's compatibility entries, for the artefact in `folder`.
Result<std::map<std::string, std::string>> compatibility_of(const Description& description, const Toolbox& toolbox,
                                                            const std::string& folder, const std::string& scratch);

// option.NAME for all of the description's options, given or default. INVALID_ARGUMENT: unknown, or outside its domain.
Status add_options(const Description& description, const kit::Options& options, Values& values);

}  // namespace axle::described
