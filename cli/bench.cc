// axle bench: latency distribution and throughput of a plan, alone or in turns with other engines' plans.
#include <cstdio>

#include "axle/bench.h"
#include "axle/explain.h"
#include "choice.h"
#include "command.h"
#include "console.h"
#include "recording.h"

namespace axle::cli {
namespace {

struct BenchArguments {
  std::string model;
  std::string duration = "5s";
  std::vector<std::string> compare;
  int64_t callers = 1;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  ProfileFlag profile;
};

std::vector<std::string> split_at_commas(const std::vector<std::string>& lists) {
  std::vector<std::string> words;
  for (const std::string& list : lists) {
    size_t from = 0;
    while (from <= list.size()) {
      const size_t comma = std::min(list.find(',', from), list.size());
      if (comma > from) words.push_back(list.substr(from, comma - from));
      from = comma + 1;
    }
  }
  return words;
}

Result<BenchOptions> options_of(const BenchArguments& arguments, Runtime& runtime, const Model& model) {
  BenchOptions options;
  AXLE_ASSIGN_OR_RETURN(options.policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(options.duration_ns, duration_flag("--duration", arguments.duration));
  if (options.duration_ns < 1'000'000)
    return invalid_argument_error("--duration " + arguments.duration + ": 1 ms is the least");
  if (arguments.callers < 1 || arguments.callers > INT32_MAX) {
    return invalid_argument_error("--threads " + std::to_string(arguments.callers) + ": at least one caller is needed");
  }
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, arguments.inputs.load_to_measure(runtime, model, options.policy));
  options.samples = std::move(samples.tensors);
  options.samples_note = std::move(samples.note);
  options.callers = static_cast<int32_t>(arguments.callers);
  options.compare = split_at_commas(arguments.compare);
  options.profile = arguments.profile.given();
  options.cancel = interrupt_token();
  if (!arguments.output.quiet)
    options.on_violation = [](const QosViolation& violation) {
      std::fprintf(stderr, "violated: %s\n", violation.text.c_str());
    };
  return options;
}

Status print_json(const BenchReport& report, const Model& model, const Policy& policy, Runtime& runtime) {
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime.machine());
  RunDocument document;
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &report.session->plan();
  document.timing = &report.session->timing();
  document.effective_json = report.session->effective_json();
  document.first_run_ns = report.first_run_ns;
  document.run_ns = report.latency.p50_ns;
  document.qos = report.session->qos();
  AXLE_ASSIGN_OR_RETURN(const std::string json, render_bench_json(document, report));
  std::puts(json.c_str());
  return ok_status();
}

Status run(const BenchArguments& arguments) {
  ProgressLine progress;
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Model model, arguments.inputs.open_model(*runtime, arguments.model));
  AXLE_ASSIGN_OR_RETURN(BenchOptions options, options_of(arguments, *runtime, model));
  // A line that is drawn while a block runs would disturb it: told between blocks only.
  options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  AXLE_ASSIGN_OR_RETURN(const BenchReport report, bench(*runtime, model, options));
  progress.clear();
  if (report.recorded) AXLE_RETURN_IF_ERROR(arguments.profile.write(*report.recorded));
  if (arguments.output.json) return print_json(report, model, options.policy, *runtime);
  std::fputs(render_bench_text(report, text_style(arguments.output.verbose)).c_str(), stdout);
  return ok_status();
}

}  // namespace

int run_bench(int argc, char** argv) {
  BenchArguments arguments;
  arguments.choice.threads_flag = "--compute-threads";
  Arguments spec(
      "bench",
      "Measures a plan: latency distribution and throughput. With --compare the plans that other engines would run,\n"
      "in alternating blocks with ours, all through axle; what their own C APIs do beside axle is measured by\n"
      "`./dev bench` in a checkout. Stores no evidence (tune does).");
  spec.positional(arguments.model, "MODEL", "model file or folder");
  spec.option(arguments.duration, "--duration", "TIME", "measure this long, all contenders together (default 5s)");
  spec.option(arguments.callers, "--threads", "N", "callers at once, each with its own tensors (default 1)");
  spec.option(arguments.compare, "--compare", "ENGINE[,...]", "measure in turns with the plan of each of these engines");
  arguments.profile.declare(spec, "of a few calls after the measurements");
  arguments.inputs.declare(spec);
  arguments.choice.declare(spec);
  arguments.output.declare(spec);
  spec.example("axle bench model.onnx --inputs in.npz --compare onnxruntime,openvino", "is the choice right, and by how much");
  spec.example("axle bench model.onnx --random 1 --threads 4 --duration 20s", "four callers at once");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
