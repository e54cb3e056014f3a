// axle plan: decide from recorded evidence and estimates, without running; check, compare and re-plan locks.
#include <cstdio>
#include <optional>

#include "axle/device_profile.h"
#include "axle/explain.h"
#include "axle/lock.h"
#include "axle/lock_check.h"
#include "axle/plan_diff.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct PlanArguments {
  std::string model;
  std::string other;  // second lock of --diff
  std::string machine;
  std::string lock;
  std::string check;
  std::string replan;
  bool diff = false;
  bool verify = false;
  std::string waive;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  std::string profile;
};

Status write_lock(const PlanArguments& arguments, const Lock& lock) {
  AXLE_RETURN_IF_ERROR(save_lock(arguments.lock, lock));
  if (!arguments.output.quiet) std::fprintf(stderr, "wrote %s\n", arguments.lock.c_str());
  return ok_status();
}

Status print_json(const Result<std::string>& json) {
  AXLE_RETURN_IF_ERROR(json.status());
  std::puts(json->c_str());
  return ok_status();
}

// The plan as text or document, as `axle plan` prints it.
Status print_plan(const PlanArguments& arguments, const RunDocument& document) {
  if (arguments.output.json) return print_json(render_run_json(document));
  if (!arguments.output.quiet) std::fputs(render_plan_text(document, text_style(arguments.output.verbose)).c_str(), stdout);
  return ok_status();
}

Status plan(const PlanArguments& arguments) {
  ProgressLine progress;
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Policy policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(const Model model, arguments.inputs.open_model(*runtime, arguments.model, arguments.verify));
  PlanRequest request;
  request.policy = policy;
  request.reuse = !arguments.verify;
  request.keep_input = !arguments.lock.empty();
  request.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, arguments.inputs.load(*runtime, model, policy));
  request.samples = std::move(samples.tensors);
  AXLE_ASSIGN_OR_RETURN(Machine machine, arguments.machine.empty() ? runtime->machine() : find_machine(arguments.machine));
  if (!arguments.machine.empty()) request.machine = &machine;
  AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*runtime, model, request));
  progress.clear();
  if (!arguments.lock.empty()) {
    AXLE_ASSIGN_OR_RETURN(const Lock lock, make_lock(report.plan, report.input_json));
    AXLE_RETURN_IF_ERROR(write_lock(arguments, lock));
  }
  RunDocument document;
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &report.plan;
  return print_plan(arguments, document);
}

// The answer stands on stdout; drift is its exit code.
Result<int> check(const PlanArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  LockCheckOptions options;
  options.verify = arguments.verify;
  options.waive = comma_separated(arguments.waive);
  std::optional<Model> model;
  if (!arguments.model.empty()) {
    AXLE_ASSIGN_OR_RETURN(model, arguments.inputs.open_model(*runtime, arguments.model, arguments.verify));
    options.model = &*model;
  }
  Policy policy;
  if (!arguments.choice.first_given().empty()) {
    AXLE_ASSIGN_OR_RETURN(policy, arguments.choice.policy());
    options.policy = &policy;
  }
  Machine machine;
  if (!arguments.machine.empty()) {
    AXLE_ASSIGN_OR_RETURN(machine, find_machine(arguments.machine));
    options.machine = &machine;
  }
  AXLE_ASSIGN_OR_RETURN(const CheckedLock checked, check_lock_file(*runtime, arguments.check, options));
  if (arguments.output.json)
    AXLE_RETURN_IF_ERROR(print_json(render_lock_check_json(checked.check, checked.lock, arguments.check)));
  else if (!arguments.output.quiet)
    std::fputs(render_lock_check_text(checked.check, arguments.check, text_style(arguments.output.verbose)).c_str(), stdout);
  return exit_code_for(checked.check.status().code());
}

Status diff(const PlanArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const Lock before, load_lock(arguments.model));
  AXLE_ASSIGN_OR_RETURN(const Lock after, load_lock(arguments.other));
  AXLE_ASSIGN_OR_RETURN(const PlanDiff found, diff_locks(before, after));
  if (arguments.output.json) return print_json(render_plan_diff_json(found));
  if (!arguments.output.quiet) std::fputs(render_plan_diff_text(found, text_style(arguments.output.verbose)).c_str(), stdout);
  return ok_status();
}

// From the lock's facts alone: no model, no engine, any machine.
Status replan_lock(const PlanArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const Lock lock, load_lock(arguments.replan));
  AXLE_ASSIGN_OR_RETURN(const Lock again, replan(lock));
  AXLE_ASSIGN_OR_RETURN(const Policy policy, locked_policy(again));
  if (!arguments.lock.empty()) AXLE_RETURN_IF_ERROR(write_lock(arguments, again));
  RunDocument document;
  document.policy = &policy;
  document.plan = &again.plan;
  AXLE_RETURN_IF_ERROR(print_plan(arguments, document));
  return check_replans(lock);
}

Status usage(const std::string& message) { return invalid_argument_error(message).with_hint("axle plan --help"); }

// What each form of the command takes; "" = nothing to complain about.
Status check_form(const PlanArguments& a) {
  const int forms = (a.diff ? 1 : 0) + (a.check.empty() ? 0 : 1) + (a.replan.empty() ? 0 : 1);
  if (forms > 1) return usage("--check, --diff and --replan exclude each other");
  if (a.diff && (a.model.empty() || a.other.empty())) return usage("--diff takes two locks: axle plan --diff A.lock B.lock");
  if (!a.diff && !a.other.empty()) return usage("'" + a.other + "' is one argument too many");
  if (!a.waive.empty() && a.check.empty())
    return usage("--waive goes with --check; [lock] waive in the policy is kept in the lock");
  if (!a.check.empty() && !a.lock.empty()) return usage("--check writes no lock");
  if (!a.replan.empty() && (!a.model.empty() || !a.choice.first_given().empty() || !a.machine.empty()))
    return usage("--replan plans from the lock alone: no model, machine or policy");
  if (a.diff && (!a.lock.empty() || !a.choice.first_given().empty() || !a.machine.empty()))
    return usage("--diff takes two locks and nothing else");
  if (forms > 0 && a.inputs.given()) return usage("inputs are for making a plan");
  if (forms == 0 && a.model.empty()) return usage("MODEL is missing");
  if (!a.profile.empty()) {
    return invalid_argument_error("--profile: axle plan runs nothing that a trace could tell of")
        .with_hint("axle run " + (a.model.empty() ? "MODEL" : a.model) + " --profile " + a.profile + " records a run");
  }
  return ok_status();
}

void declare(Arguments& spec, PlanArguments& arguments) {
  spec.positional(arguments.model, "MODEL", "model file or folder; the first lock of --diff", false);
  spec.positional(arguments.other, "OTHER", "the second lock of --diff", false);
  arguments.choice.declare(spec);
  arguments.inputs.declare(spec);
  arguments.output.declare(spec);
  spec.option(arguments.machine, "--machine", "MACHINE",
              "plan for, or check against, a machine by name (axle devices --profiles) or record");
  spec.option(arguments.lock, "-o,--output", "LOCK", "write the plan and everything it was made from");
  spec.option(arguments.profile, "--profile", "FILE",
              "refused: nothing is run; run, bench, tune, explain, deploy and compile write a trace");
  spec.group("Locks");
  spec.option(arguments.check, "--check", "LOCK", "does it hold here? names every field that drifted; with MODEL, that too");
  spec.option(arguments.waive, "--waive", "FIELD[,FIELD]", "fields whose drift --check tolerates");
  spec.flag(arguments.diff, "--diff", "compare two locks in words: axle plan --diff A.lock B.lock");
  spec.option(arguments.replan, "--replan", "LOCK", "plan again from its facts alone, on any machine; exit 5 if it differs");
  spec.flag(arguments.verify, "--verify", "hash files instead of trusting their stamps");
  spec.example("axle plan model.onnx --inputs in.npz -o model.lock", "what would run, and why nothing else; kept as a lock");
  spec.example("axle plan model.onnx --check model.lock", "does the lock hold here, for this model");
}

}  // namespace

int run_plan(int argc, char** argv) {
  PlanArguments arguments;
  Arguments spec("plan", "Decides from recorded evidence and estimates, without running or measuring.");
  declare(spec, arguments);
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  if (const Status form = check_form(arguments); !form.ok()) {
    report_failure(form, arguments.output.json);
    return 2;
  }
  int code = 0;
  Status status;
  if (!arguments.check.empty()) {
    const Result<int> checked = check(arguments);
    status = checked.status();
    if (checked) code = *checked;
  } else {
    status = arguments.diff ? diff(arguments) : !arguments.replan.empty() ? replan_lock(arguments) : plan(arguments);
  }
  return status.ok() ? code : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
