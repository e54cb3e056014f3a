// axle compile: plan, build the artefacts, load nothing.
#include <cstdio>

#include "axle/explain.h"
#include "axle/session.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

Status compile(const std::string& path, const ChoiceFlags& choice, const InputFlags& inputs, const OutputFlags& output) {
  ProgressLine progress;
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Policy policy, choice.policy());
  AXLE_ASSIGN_OR_RETURN(const Model model, inputs.open_model(*runtime, path));
  SessionOptions options;
  options.policy = policy;
  options.runtime = runtime;
  options.cancel = interrupt_token();
  options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  AXLE_ASSIGN_OR_RETURN(options.samples, inputs.load(model));
  // Copies of the model in precisions that only measuring admits are artefacts, too.
  PlanRequest request;
  request.policy = policy;
  request.samples = options.samples;
  request.progress = options.progress;
  request.cancel = options.cancel;
  request.prepare = true;
  AXLE_RETURN_IF_ERROR(make_plan(*runtime, model, request).status());
  AXLE_ASSIGN_OR_RETURN(const Session session, Session::create(model, options));
  progress.clear();
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime->machine());
  RunDocument document;
  document.model = &model;
  document.policy = &policy;
  document.machine = &machine;
  document.plan = &session.plan();
  document.timing = &session.timing();
  document.effective_json = session.effective_json();
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_run_json(document));
    std::puts(json.c_str());
  } else if (!output.quiet) {
    const LoadTiming& timing = session.timing();
    std::printf("%s", render_plan_line(document).c_str());
    std::printf("artefact: %s%s\n",
                timing.cache == "hit"    ? "in the cache already"
                : timing.cache == "miss" ? "compiled in "
                                         : "the engine keeps none",
                timing.cache == "miss" ? format_duration(timing.compile_ns).c_str() : "");
  }
  return ok_status();
}

}  // namespace

int run_compile(int argc, char** argv) {
  std::string model;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  Arguments spec("compile", "Builds the artefacts of a plan into the cache and checks that they load.");
  spec.positional(model, "MODEL", "model file or folder");
  choice.declare(spec);
  inputs.declare(spec);
  output.declare(spec);
  spec.example("axle compile model.onnx --device cpu", "so that the first run starts warm");
  spec.example("axle compile model.onnx --engine openvino --json", "for scripts");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  inputs.finish(spec);
  const Status status = compile(model, choice, inputs, output);
  return status.ok() ? 0 : report_failure(status, output.json);
}

}  // namespace axle::cli
