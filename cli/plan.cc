// axle plan: decide from recorded evidence and estimates, without running.
#include <cstdio>

#include "axle/explain.h"
#include "axle/lock.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct PlanArguments {
  std::string model;
  std::string machine;
  std::string lock;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
};

Status plan(const PlanArguments& arguments) {
  ProgressLine progress;
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Policy policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(const Model model, open_model(*runtime, arguments.model));
  PlanRequest request;
  request.policy = policy;
  request.keep_input = !arguments.lock.empty();
  request.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  AXLE_ASSIGN_OR_RETURN(request.samples, arguments.inputs.load(model));
  AXLE_ASSIGN_OR_RETURN(Machine machine, arguments.machine.empty() ? runtime->machine() : load_machine(arguments.machine));
  if (!arguments.machine.empty()) request.machine = &machine;
  AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*runtime, model, request));
  progress.clear();
  if (!arguments.lock.empty()) {
    AXLE_ASSIGN_OR_RETURN(const Lock lock, make_lock(report.plan, report.input_json));
    AXLE_RETURN_IF_ERROR(save_lock(arguments.lock, lock));
    if (!arguments.output.quiet) std::fprintf(stderr, "wrote %s\n", arguments.lock.c_str());
  }
  RunDocument document;
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &report.plan;
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_run_json(document));
    std::puts(json.c_str());
    return ok_status();
  }
  if (arguments.output.quiet) return ok_status();
  TextStyle style;
  style.color = use_color();
  style.width = terminal_width();
  style.verbose = arguments.output.verbose;
  std::fputs(render_plan_text(document, style).c_str(), stdout);
  return ok_status();
}

}  // namespace

int run_plan(int argc, char** argv) {
  PlanArguments arguments;
  Arguments spec("plan", "Decides from recorded evidence and estimates, without running or measuring.");
  spec.positional(arguments.model, "MODEL", "model file or folder");
  arguments.choice.declare(spec);
  arguments.inputs.declare(spec);
  arguments.output.declare(spec);
  spec.option(arguments.machine, "--machine", "FILE", "plan for a recorded machine (axle devices --record)");
  spec.option(arguments.lock, "-o,--output", "LOCK", "write the plan and everything it was made from");
  spec.example("axle plan model.onnx --inputs in.npz", "what would run, and why nothing else");
  spec.example("axle plan model.onnx --machine laptop.json", "the same for a machine that is not here");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  const Status status = plan(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
