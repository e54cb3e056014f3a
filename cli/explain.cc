// axle explain: why this plan.
#include <cstdio>

#include "axle/explain.h"
#include "axle/lock.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct ExplainArguments {
  std::string subject;
  std::string format = "table";
  std::string output_file;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
};

Status emit(const ExplainArguments& arguments, const std::string& text) {
  if (arguments.output_file.empty()) {
    std::fputs(text.c_str(), stdout);
    return ok_status();
  }
  return write_text_file(arguments.output_file, text);
}

Status render(const ExplainArguments& arguments, const RunDocument& document) {
  if (arguments.format == "json") {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_run_json(document));
    return emit(arguments, json + "\n");
  }
  TextStyle style;
  style.color = arguments.output_file.empty() && use_color();
  style.width = arguments.output_file.empty() ? terminal_width() : 160;
  style.verbose = arguments.output.verbose;
  return emit(arguments, render_plan_text(document, style));
}

Status explain_lock(const ExplainArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const Lock lock, load_lock(arguments.subject));
  AXLE_ASSIGN_OR_RETURN(const Policy policy, locked_policy(lock));
  RunDocument document;
  document.policy = &policy;
  document.plan = &lock.plan;
  return render(arguments, document);
}

Status explain(const ExplainArguments& arguments) {
  if (arguments.format != "table" && arguments.format != "json") {
    return invalid_argument_error("--format '" + arguments.format + "' is not table or json");
  }
  if (arguments.subject.ends_with(".lock")) return explain_lock(arguments);
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Policy policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(const Model model, open_model(*runtime, arguments.subject));
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime->machine());
  PlanRequest request;
  request.policy = policy;
  AXLE_ASSIGN_OR_RETURN(request.samples, arguments.inputs.load(model));
  AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*runtime, model, request));
  RunDocument document;
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &report.plan;
  return render(arguments, document);
}

}  // namespace

int run_explain(int argc, char** argv) {
  ExplainArguments arguments;
  Arguments spec("explain", "Why this plan: what runs where, every candidate turned down and the reason.");
  spec.positional(arguments.subject, "SUBJECT", "model file or folder, or a .lock file");
  arguments.choice.declare(spec);
  arguments.inputs.declare(spec);
  arguments.output.declare(spec);
  spec.option(arguments.format, "--format", "FORMAT", "table or json");
  spec.option(arguments.output_file, "-o,--output", "FILE", "write there instead of the terminal");
  spec.example("axle explain model.onnx --inputs in.npz -v", "every candidate and node reason");
  spec.example("axle explain model.lock --format json", "what a lock holds, for scripts");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  if (arguments.output.json) arguments.format = "json";
  const Status status = explain(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
