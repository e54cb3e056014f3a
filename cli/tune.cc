// axle tune: measure the candidates of a model here and remember the evidence.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "axle/explain.h"
#include "axle/tune.h"
#include "choice.h"
#include "command.h"
#include "console.h"
#include "recording.h"

namespace axle::cli {
namespace {

struct TuneArguments {
  std::string model;
  std::string budget = "30s";
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  ProfileFlag profile;
};

// Rewrites the table in place while measuring; silent unless stdout is a terminal.
class LiveTable {
 public:
  explicit LiveTable(const OutputFlags& output) : active_(::isatty(STDOUT_FILENO) != 0 && !output.json && !output.quiet) {
    style_.color = use_color();
    style_.width = terminal_width();
  }

  void show(const TuneReport& report) {
    if (!active_) return;
    erase();
    // What scrolls or wraps cannot be written over.
    const std::string text = fit_screen(render_tune_text(report, style_), style_.width, terminal_rows() - 1);
    lines_ = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  void erase() {
    if (lines_ > 0) std::printf("\x1b[%dA\x1b[J", lines_);
    lines_ = 0;
  }

  const TextStyle& style() const { return style_; }

 private:
  bool active_;
  int lines_ = 0;
  TextStyle style_;
};

// Of what was found best, on what was measured.
Status record_best(const TuneArguments& arguments, std::shared_ptr<Runtime> runtime, const Model& model,
                   const TuneOptions& tuned, const TuneReport& report) {
  SessionOptions options;
  options.policy = tuned.policy;
  options.samples = tuned.samples;
  options.cancel = interrupt_token();
  options.runtime = std::move(runtime);
  return arguments.profile.record(model, report.plan, std::move(options), tuned.samples);
}

Status run(const TuneArguments& arguments) {
  TuneOptions options;
  AXLE_ASSIGN_OR_RETURN(options.budget_ns, duration_flag("--budget", arguments.budget));
  AXLE_ASSIGN_OR_RETURN(options.policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Model model, arguments.inputs.open_model(*runtime, arguments.model));
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, arguments.inputs.load_to_measure(*runtime, model, options.policy));
  options.samples = std::move(samples.tensors);
  options.samples_note = std::move(samples.note);
  options.cancel = interrupt_token();
  LiveTable table(arguments.output);
  options.progress = [&](const TuneReport& report) { table.show(report); };
  AXLE_ASSIGN_OR_RETURN(const TuneReport report, tune(*runtime, model, options));
  table.erase();
  AXLE_RETURN_IF_ERROR(record_best(arguments, runtime, model, options, report));
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_tune_json(report));
    std::puts(json.c_str());
  } else if (!arguments.output.quiet) {
    std::fputs(render_tune_text(report, table.style()).c_str(), stdout);
  }
  return ok_status();
}

}  // namespace

int run_tune(int argc, char** argv) {
  TuneArguments arguments;
  Arguments spec("tune", "Measures candidates in alternating blocks and stores the evidence that plans decide on.");
  spec.positional(arguments.model, "MODEL", "model file or folder");
  spec.option(arguments.budget, "--budget", "TIME", "measure at most this long (default 30s)");
  arguments.profile.declare(spec, "of a few runs of the best one, after the measurements");
  arguments.inputs.declare(spec);
  arguments.choice.declare(spec);
  arguments.output.declare(spec);
  spec.example("axle tune model.onnx --inputs in.npz", "on real inputs");
  spec.example("axle tune model.onnx --random 1 --budget 10s --engine openvino", "one engine's threads and presets");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
