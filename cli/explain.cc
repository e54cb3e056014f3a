// axle explain: why this plan.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>

#include "axle/explain.h"
#include "axle/lock.h"
#include "axle/session.h"
#include "axle/tune.h"
#include "choice.h"
#include "command.h"
#include "console.h"
#include "recording.h"

namespace axle::cli {
namespace {

struct ExplainArguments {
  std::string subject;
  std::string format = "table";
  std::string output_file;
  std::optional<int64_t> runs;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  ProfileFlag profile;
};

Status emit(const ExplainArguments& arguments, const std::string& text) {
  if (!arguments.output_file.empty()) return write_text_file(arguments.output_file, text);
  if ((arguments.format == "html" || arguments.format == "perfetto") && ::isatty(STDOUT_FILENO) != 0) {
    return invalid_argument_error("--format " + arguments.format + " is not for a terminal")
        .with_hint(std::string("add -o ") + (arguments.format == "html" ? "report.html" : "trace.json"));
  }
  std::fputs(text.c_str(), stdout);
  return ok_status();
}

Status render(const ExplainArguments& arguments, const RunDocument& document, const PlanPage& page) {
  if (arguments.format == "json") {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_run_json(document));
    return emit(arguments, json + "\n");
  }
  if (arguments.format == "html") {
    AXLE_ASSIGN_OR_RETURN(const std::string text, render_plan_html(document, page));
    return emit(arguments, text);
  }
  if (arguments.format == "perfetto") {
    AXLE_ASSIGN_OR_RETURN(const std::string trace, render_profile_json(*page.recorded));
    return emit(arguments, trace + "\n");
  }
  TextStyle style;
  style.color = arguments.output_file.empty() && use_color();
  style.width = arguments.output_file.empty() ? terminal_width() : 160;
  style.verbose = arguments.output.verbose;
  return emit(arguments, render_plan_text(document, style));
}

Status explain_lock(const ExplainArguments& arguments) {
  if (arguments.format == "perfetto" || arguments.profile.given() || arguments.inputs.given() || arguments.runs) {
    return invalid_argument_error("a lock holds no model to run")
        .with_hint("axle run MODEL --locked " + arguments.subject + " --inputs in.npz --profile trace.json records its run");
  }
  AXLE_ASSIGN_OR_RETURN(const Lock lock, load_lock(arguments.subject));
  AXLE_ASSIGN_OR_RETURN(const Policy policy, locked_policy(lock));
  RunDocument document;
  document.policy = &policy;
  document.plan = &lock.plan;
  return render(arguments, document, {.input_json = lock.input_json, .recorded = nullptr});
}

Status explain_model(const ExplainArguments& arguments) {
  ProgressLine progress;
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Policy policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(const Model model, arguments.inputs.open_model(*runtime, arguments.subject));
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime->machine());
  SessionOptions options;
  options.policy = policy;
  options.runtime = runtime;
  options.cancel = interrupt_token();
  options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  PlanRequest request;
  request.policy = policy;
  request.progress = options.progress;
  request.keep_input = arguments.format == "html";
  const bool runs = arguments.runs || arguments.format == "perfetto" || arguments.profile.given() ||
                    (arguments.format == "html" && arguments.inputs.given());
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, runs ? arguments.inputs.load_to_measure(*runtime, model, policy)
                                                       : arguments.inputs.load(*runtime, model, policy));
  request.samples = std::move(samples.tensors);
  AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*runtime, model, request));
  RunDocument document;
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &report.plan;
  std::optional<Recording> recording;
  if (runs) {
    AXLE_ASSIGN_OR_RETURN(recording, record_runs(model, report.plan, std::move(options), request.samples,
                                                 arguments.runs.value_or(kRecordedRuns)));
    AXLE_RETURN_IF_ERROR(arguments.profile.write(recording->session));
    document.plan = &recording->session.plan();  // with a note on what recording changed
    document.effective_json = recording->session.effective_json();
    AXLE_ASSIGN_OR_RETURN(document.kernels, kernel_times(recording->session));
    document.first_run_ns = recording->first_run_ns;
    document.run_ns = recording->run_ns;
  }
  progress.clear();
  return render(arguments, document, {.input_json = report.input_json, .recorded = recording ? &recording->session : nullptr});
}

Status explain(const ExplainArguments& arguments) {
  const std::string& format = arguments.format;
  if (format != "table" && format != "json" && format != "html" && format != "perfetto") {
    return invalid_argument_error("--format '" + format + "' is none of table, json, html and perfetto");
  }
  if (arguments.runs && (*arguments.runs < 1 || *arguments.runs > 1000))
    return invalid_argument_error("--runs must be 1 to 1000");
  return arguments.subject.ends_with(".lock") ? explain_lock(arguments) : explain_model(arguments);
}

}  // namespace

int run_explain(int argc, char** argv) {
  ExplainArguments arguments;
  constexpr int64_t kNotGiven = INT64_MIN;
  int64_t runs = kNotGiven;
  Arguments spec("explain", "Why this plan: what runs where, every candidate turned down and the reason.");
  spec.positional(arguments.subject, "SUBJECT", "model file or folder, or a .lock file");
  spec.option(arguments.format, "--format", "FORMAT",
              "table, json, html (one page: graph, candidates, roofline, memory; with inputs also a timeline of a run) or "
              "perfetto (runs the model, writes its trace)");
  spec.option(arguments.output_file, "-o,--output", "FILE", "write there instead of the terminal");
  arguments.profile.declare(spec, "of a few runs beside the explanation");
  spec.option(
      runs, "--runs", "N",
      "run it so often, and tell in which precision each node computes (3 where only --profile, perfetto or html runs it)");
  arguments.inputs.declare(spec);
  arguments.choice.declare(spec);
  arguments.output.declare(spec);
  spec.example("axle explain model.onnx --inputs in.npz --format html -o report.html", "a page to read or to send");
  spec.example("axle explain model.lock --format json", "what a lock holds, for scripts");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  if (runs != kNotGiven) arguments.runs = runs;
  if (arguments.output.json) arguments.format = "json";
  const Status status = explain(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
