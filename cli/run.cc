// axle run: plan, build, run once, write the outputs.
#include <cstdio>
#include <filesystem>
#include <set>

#include "axle/explain.h"
#include "axle/lock.h"
#include "axle/session.h"
#include "choice.h"
#include "command.h"
#include "console.h"
#include "recording.h"

namespace axle::cli {
namespace {

struct RunArguments {
  std::string model;
  std::string locked;
  std::string waive;
  std::string output_dir;
  bool verify = false;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  ProfileFlag profile;
};

// "x f32[batch, 30], mask bool[batch]", the first few.
std::string io_text(const std::vector<IoSpec>& specs) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < std::min(specs.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + specs[i].name + " " + std::string(data_type_name(specs[i].dtype)) +
            (specs[i].rank_known ? format_shape(specs[i].shape) : "") + (specs[i].optional ? " (optional)" : "");
  }
  return specs.size() > kShown ? text + " and " + std::to_string(specs.size() - kShown) + " more" : text;
}

std::string file_name_of(const std::string& output) {
  std::string name = output;
  for (char& c : name) {
    if (c == '/' || c == '\0') c = '_';
  }
  return name.empty() || name == "." || name == ".." ? "_" + name : name;
}

Result<std::vector<OutputFile>> write_outputs(const std::vector<NamedTensor>& outputs, const std::string& folder) {
  std::vector<OutputFile> files;
  std::set<std::string> taken;
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return permission_denied_error("cannot make the output folder '" + folder + "': " + error.message())
          .with_hint("check the path, and that you may write there");
    }
  }
  for (const NamedTensor& output : outputs) {
    OutputFile file{output.name, output.tensor.dtype(), output.tensor.shape(), ""};
    if (!folder.empty()) {
      std::string name = file_name_of(output.name);
      while (!taken.insert(name).second) name += "_";
      file.file = (std::filesystem::path(folder) / (name + ".npy")).string();
      AXLE_RETURN_IF_ERROR(save_npy(file.file, output.tensor));
    }
    files.push_back(std::move(file));
  }
  if (!folder.empty()) AXLE_RETURN_IF_ERROR(save_npz((std::filesystem::path(folder) / "outputs.npz").string(), outputs));
  return files;
}

void print_outputs(const std::vector<OutputFile>& outputs) {
  for (const OutputFile& output : outputs) {
    std::printf("  %s %s%s%s%s\n", output.name.c_str(), std::string(data_type_name(output.dtype)).c_str(),
                format_shape(std::span<const int64_t>(output.shape)).c_str(), output.file.empty() ? "" : "  -> ",
                output.file.c_str());
  }
}

// With a lock nothing is planned: its plan is loaded under its policy, and drift that is not waived is refused.
Result<Session> open_locked(const Model& model, const RunArguments& arguments, SessionOptions options, Policy& policy) {
  AXLE_ASSIGN_OR_RETURN(const Lock lock, load_lock(arguments.locked));
  AXLE_ASSIGN_OR_RETURN(policy, locked_policy(lock));
  options.waive = comma_separated(arguments.waive);
  auto session = Session::load(model, lock, std::move(options));
  if (session || session.error().code() != StatusCode::kAborted) return session;
  return std::move(session).error().with_context(arguments.locked);
}

Status check_flags(const RunArguments& arguments) {
  if (arguments.locked.empty() && !arguments.waive.empty())
    return invalid_argument_error("--waive goes with --locked: without a lock nothing can drift");
  // A policy file may stand beside the lock: it is compared with the lock's.
  ChoiceFlags flags = arguments.choice;
  flags.policy_file.clear();
  const std::string flag = flags.first_given();
  if (flag.empty() || arguments.locked.empty()) return ok_status();
  return invalid_argument_error(flag + " cannot be combined with --locked: the lock holds the policy")
      .with_hint("plan anew with that choice: axle plan " + arguments.model + " " + flag + " ... -o " + arguments.locked);
}

// Of a device that is a model: what it would have taken. Never a time of this run.
void print_modelled(const RunDocument& document) {
  const std::vector<Partition>& parts = document.plan->partitions;
  for (size_t i = 0; i < std::min(parts.size(), document.counters.size()); ++i) {
    const auto& counted = document.counters[i];
    const auto modelled = counted.find("modelled_us");
    if (!parts[i].simulated || modelled == counted.end()) continue;
    std::printf("modelled, not measured: %s (simulated) would take %.1f us\n", parts[i].candidate.format().c_str(),
                modelled->second);
  }
}

// What a lower precision costs here: who forced it is told without asking.
void print_accuracy(const Plan& plan) {
  for (const std::string& note : plan.notes) {
    const bool tells = note.starts_with("error of ") || note.find("calibrated on") != std::string::npos;
    if (tells) std::printf("note: %s\n", note.c_str());
  }
}

Status report(const RunArguments& arguments, const RunDocument& document) {
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_run_json(document));
    std::puts(json.c_str());
    return ok_status();
  }
  if (!arguments.output.quiet) {
    std::fputs(render_plan_line(document).c_str(), stdout);
    for (const Substitution& taken : document.plan->substitutions) {
      std::printf("substituted: %s instead of %s, allowed by %s: %s\n", taken.got.c_str(), taken.wanted.c_str(),
                  taken.allowed_by.c_str(), taken.reason.c_str());
    }
    print_modelled(document);
    if (!arguments.profile.given() && !arguments.output.verbose) print_accuracy(*document.plan);
    // What was changed for recording is among them.
    if (arguments.profile.given()) {
      for (const std::string& note : document.plan->notes) std::printf("note: %s\n", note.c_str());
      std::fputs(render_kernels_text(document.kernels, *document.plan, text_style(arguments.output.verbose)).c_str(), stdout);
    }
  }
  if (arguments.output.verbose) {
    std::fputs(render_plan_text(document, text_style(true)).c_str(), stdout);
  }
  if (!arguments.output.quiet) print_outputs(document.outputs);
  return ok_status();
}

struct TimedRun {
  Result<std::vector<NamedTensor>> outputs;
  int64_t ns = 0;
};

TimedRun timed_run(const Session& session, const std::vector<NamedTensor>& feeds) {
  RunOptions options;
  options.cancel = interrupt_token();
  const int64_t started = steady_now_ns();
  TimedRun ran{session.run(feeds, options)};
  ran.ns = steady_now_ns() - started;
  return ran;
}

// Whether inputs were generated that did not run, and `samples` holds larger ones now.
Result<bool> enlarge(const RunArguments& arguments, Runtime& runtime, const Model& model, const Policy& policy,
                     const TimedRun& ran, GeneratedSamples& samples) {
  if (!arguments.inputs.random || !samples.usual) return false;
  if (ran.outputs && !gives_nothing(samples.tensors, *ran.outputs)) return false;
  AXLE_ASSIGN_OR_RETURN(samples, arguments.inputs.load_to_measure(runtime, model, policy));
  return !samples.usual;
}

Status run(const RunArguments& arguments) {
  ProgressLine progress;
  AXLE_RETURN_IF_ERROR(check_flags(arguments));
  // A lock holds its policy: what stands for other calls is no word on it.
  AXLE_ASSIGN_OR_RETURN(Policy policy, arguments.choice.policy(arguments.locked.empty()));
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  const auto ahead = arguments.locked.empty() ? open_engine_ahead(runtime, arguments.model, policy) : nullptr;
  AXLE_ASSIGN_OR_RETURN(const Model model, arguments.inputs.open_model(*runtime, arguments.model, arguments.verify));
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, arguments.inputs.load(*runtime, model, policy));
  std::vector<NamedTensor>& feeds = samples.tensors;
  SessionOptions options;
  options.policy = policy;
  options.samples = feeds;
  options.cancel = interrupt_token();
  options.verify = arguments.verify;
  options.profile = arguments.profile.given();
  options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  options.runtime = runtime;
  const auto open = [&] {
    return arguments.locked.empty() ? Session::create(model, options) : open_locked(model, arguments, options, policy);
  };
  AXLE_ASSIGN_OR_RETURN(Session session, open());
  if (feeds.empty() && !session.inputs().empty()) {
    return invalid_argument_error("no inputs were given for '" + arguments.model + "', which takes " +
                                  io_text(session.inputs()))
        .with_hint("give --inputs FILE.npz, --input NAME=FILE.npy, or --random 1");
  }
  TimedRun ran = timed_run(session, feeds);
  AXLE_ASSIGN_OR_RETURN(const bool larger, enlarge(arguments, *runtime, model, policy, ran, samples));
  if (larger) {
    options.samples = feeds;
    AXLE_ASSIGN_OR_RETURN(session, open());
    ran = timed_run(session, feeds);
  }
  AXLE_RETURN_IF_ERROR(ran.outputs.status());
  if (!samples.usual && !arguments.output.quiet) std::fprintf(stderr, "axle: %s\n", samples.note.c_str());
  progress.clear();
  AXLE_RETURN_IF_ERROR(arguments.profile.write(session));

  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime->machine());
  RunDocument document;
  AXLE_ASSIGN_OR_RETURN(document.outputs, write_outputs(*ran.outputs, arguments.output_dir));
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &session.plan();
  document.timing = &session.timing();
  document.effective_json = session.effective_json();
  document.counters = session.counters();
  document.first_run_ns = document.run_ns = ran.ns;
  document.qos = session.qos();
  if (arguments.profile.given()) {
    AXLE_ASSIGN_OR_RETURN(document.kernels, kernel_times(session));
  }
  AXLE_RETURN_IF_ERROR(report(arguments, document));
  end_process(0);
}

}  // namespace

int run_run(int argc, char** argv) {
  RunArguments arguments;
  Arguments spec("run", "Plans, builds and runs a model once. Measures nothing unless --tuning-budget says so.");
  spec.positional(arguments.model, "MODEL", "model file or folder");
  arguments.inputs.declare(spec);
  arguments.choice.declare(spec);
  arguments.output.declare(spec);
  spec.option(arguments.locked, "--locked", "LOCK", "run exactly this plan, or name what has drifted and fail");
  spec.option(arguments.waive, "--waive", "FIELD[,FIELD]", "fields of the lock whose drift is tolerated this once");
  spec.option(arguments.output_dir, "--output-dir", "DIR", "write each output as DIR/NAME.npy, and DIR/outputs.npz");
  arguments.profile.declare(spec, "of the run, and say which nodes it spent its time in");
  spec.flag(arguments.verify, "--verify", "hash files instead of trusting their stamps");
  spec.example("axle run model.onnx --inputs in.npz --output-dir out", "run on real inputs, keep the outputs");
  spec.example("axle run model.onnx --random 1 --device npu --allow-fallback cpu",
               "on the NPU, or say why not and use the CPU");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
