// axle deploy: analyse, select, compile, and leave a deployment that runs exactly as decided.
#include <algorithm>
#include <cstdio>
#include <filesystem>

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

namespace fs = std::filesystem;

struct DeployArguments {
  std::string model;
  std::string budget = "10s";
  bool budget_given = false;
  bool remeasure = false;
  std::string target;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  ProfileFlag profile;
};

// A precision that the policy admits was not tried, for want of a copy of the model that has it.
bool lacks_copies(const Plan& plan) {
  return std::any_of(plan.decisions.begin(), plan.decisions.end(),
                     [](const Decision& decision) { return decision.code == "NOT_PREPARED"; });
}

// One deployment; the members are what the document at the end points into.
class Deployment {
 public:
  explicit Deployment(const DeployArguments& arguments) : arguments_(arguments) {}

  Status run() {
    AXLE_RETURN_IF_ERROR(analyse());
    AXLE_RETURN_IF_ERROR(select());
    AXLE_RETURN_IF_ERROR(compile());
    AXLE_RETURN_IF_ERROR(write());
    AXLE_RETURN_IF_ERROR(arguments_.profile.record(*model_, planned_.plan, session_options(), samples_));
    return tell();
  }

 private:
  ProgressCallback shown() {
    return [this](const std::string& what, double fraction) { progress_.show(what, fraction); };
  }

  Status analyse() {
    AXLE_ASSIGN_OR_RETURN(policy_, arguments_.choice.policy());
    budget_ns_ = policy_.tuning.budget_ns;
    if (arguments_.budget_given || budget_ns_ == 0) {
      AXLE_ASSIGN_OR_RETURN(budget_ns_, duration_flag("--budget", arguments_.budget));
    }
    AXLE_ASSIGN_OR_RETURN(runtime_, default_runtime());
    AXLE_ASSIGN_OR_RETURN(model_, arguments_.inputs.open_model(*runtime_, arguments_.model));
    AXLE_ASSIGN_OR_RETURN(machine_, runtime_->machine());
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples given, arguments_.inputs.load_to_measure(*runtime_, *model_, policy_));
    samples_ = std::move(given.tensors);
    samples_note_ = std::move(given.note);
    if (!samples_.empty()) return ok_status();
    // Plan and measurements must be judged on the same shapes.
    auto generated = generate_samples(*runtime_, *model_, {0, policy_, true, interrupt_token()});
    if (generated) {
      samples_ = std::move(generated->tensors);
      samples_note_ = "no inputs were given: " + generated->note;
    } else if (generated.error().code() != StatusCode::kUnimplemented) {
      return std::move(generated).error();
    }
    return ok_status();
  }

  Result<PlanReport> decide() {
    PlanRequest request;
    request.policy = policy_;
    request.samples = samples_;
    request.keep_input = true;
    request.progress = shown();
    return make_plan(*runtime_, *model_, request);
  }

  Status select() {
    Result<PlanReport> known = decide();
    const bool may_measure = budget_ns_ > 0 && !samples_.empty();
    // What cannot be decided for want of measurements may be decided after them.
    if (!known && (!may_measure || known.error().code() != StatusCode::kFailedPrecondition)) return std::move(known).error();
    const bool enough = known && known->plan.measured() && !lacks_copies(known->plan) && !arguments_.remeasure;
    if (known && (enough || !may_measure)) {
      selection_ = known->plan.measured() ? "evidence" : "estimate";
      planned_ = std::move(*known);
      return ok_status();
    }
    TuneOptions options;
    options.policy = policy_;
    options.samples = samples_;
    options.samples_note = samples_note_;
    options.budget_ns = budget_ns_;
    options.cancel = interrupt_token();
    options.progress = [this](const TuneReport& report) {
      progress_.show("measuring candidates",
                     std::min(1.0, static_cast<double>(report.elapsed_ns) / static_cast<double>(budget_ns_)));
    };
    AXLE_ASSIGN_OR_RETURN(tuned_, tune(*runtime_, *model_, options));
    selection_ = "measured";
    AXLE_ASSIGN_OR_RETURN(planned_, decide());
    return ok_status();
  }

  SessionOptions session_options() {
    SessionOptions options;
    options.policy = policy_;
    options.samples = samples_;
    options.runtime = runtime_;
    options.cancel = interrupt_token();
    options.progress = shown();
    return options;
  }

  // Loading through the cache compiles what is not there; one run proves that it works.
  Status compile() {
    AXLE_ASSIGN_OR_RETURN(session_, Session::load(*model_, planned_.plan, session_options()));
    if (samples_.empty()) return ok_status();
    RunOptions run_options;
    run_options.cancel = interrupt_token();
    for (int64_t* took : {&first_run_ns_, &run_ns_}) {
      const int64_t started = steady_now_ns();
      AXLE_RETURN_IF_ERROR(session_->run(samples_, run_options).status());
      *took = steady_now_ns() - started;
    }
    return ok_status();
  }

  Status write() {
    std::string target = arguments_.target;
    if (target.empty()) target = model_stem() + ".lock";
    if (target.ends_with(".lock")) {
      lock_file_ = target;
    } else {
      folder_ = target;
      std::error_code error;
      fs::create_directories(folder_, error);
      if (error) return permission_denied_error("cannot make the folder '" + folder_ + "': " + error.message());
      lock_file_ = (fs::path(folder_) / "axle.lock").string();
    }
    AXLE_ASSIGN_OR_RETURN(const Lock lock, make_lock(planned_.plan, planned_.input_json));
    AXLE_RETURN_IF_ERROR(save_lock(lock_file_, lock));
    if (folder_.empty()) return ok_status();
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_deploy_json(document()));
    return write_text_file((fs::path(folder_) / "deploy.json").string(), json + "\n");
  }

  // "model" of "dir/model.onnx" and of "dir/model/".
  std::string model_stem() const {
    fs::path path = fs::path(arguments_.model).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const std::string stem = path.stem().string();
    return stem.empty() || stem == "." || stem == ".." ? "axle" : stem;
  }

  DeployDocument document() const {
    DeployDocument made;
    made.run.model = &*model_;
    made.run.policy = &policy_;
    made.run.machine = &machine_;
    made.run.plan = &session_->plan();
    made.run.timing = &session_->timing();
    made.run.effective_json = session_->effective_json();
    made.run.first_run_ns = first_run_ns_;
    made.run.run_ns = run_ns_;
    made.tuned = tuned_ ? &*tuned_ : nullptr;
    made.selection = selection_;
    made.model_file = arguments_.model;
    made.lock_file = lock_file_;
    made.inputs_file = arguments_.inputs.npz;
    made.folder = folder_;
    return made;
  }

  Status tell() {
    progress_.clear();
    if (arguments_.output.json) {
      AXLE_ASSIGN_OR_RETURN(const std::string json, render_deploy_json(document()));
      std::puts(json.c_str());
      return ok_status();
    }
    if (arguments_.output.quiet) return ok_status();
    const TextStyle style = text_style(arguments_.output.verbose);
    if (style.verbose && tuned_) std::printf("%s\n", render_tune_text(*tuned_, style).c_str());
    std::fputs(render_deploy_text(document(), style).c_str(), stdout);
    return ok_status();
  }

  const DeployArguments& arguments_;
  ProgressLine progress_;
  Policy policy_;
  int64_t budget_ns_ = 0;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  Machine machine_;
  std::vector<NamedTensor> samples_;
  std::string samples_note_;
  std::string selection_;
  std::optional<TuneReport> tuned_;
  PlanReport planned_;
  std::optional<Session> session_;
  int64_t first_run_ns_ = 0, run_ns_ = 0;
  std::string lock_file_, folder_;
};

}  // namespace

int run_deploy(int argc, char** argv) {
  DeployArguments arguments;
  Arguments spec("deploy",
                 "Analyses a model, measures and selects what runs it best here, compiles it, and leaves a lock to run it by.");
  spec.positional(arguments.model, "MODEL", "model file or folder");
  spec.option(arguments.target, "-o,--output", "PATH",
              "what to leave: a FILE.lock, or a folder (default MODEL's name + .lock)");
  spec.option(arguments.budget, "--budget", "TIME",
              "measure at most this long what was not measured before (default 10s; 0s = not at all)");
  arguments.profile.declare(spec, "of a few runs of what is deployed");
  spec.flag(arguments.remeasure, "--remeasure", "measure again although there is evidence");
  arguments.inputs.declare(spec);
  arguments.choice.declare(spec);
  arguments.output.declare(spec);
  spec.example("axle deploy model.onnx --inputs in.npz", "measures on real inputs, leaves model.lock");
  spec.example("axle deploy model.onnx -o deployment --policy policy.toml --json",
               "a folder with the lock and all that was found");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  arguments.budget_given = spec.given("--budget");
  const Status status = Deployment(arguments).run();
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
