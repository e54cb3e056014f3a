// axle engines: what can run models here, and what is absent and why.
#include <cstdio>

#include "axle/explain.h"
#include "axle/runtime.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

Status engines(const OutputFlags& output) {
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_RETURN_IF_ERROR(runtime->machine());
  const std::vector<EngineState> states = runtime->engines().states();
  for (const std::string& problem : runtime->engines().problems()) std::fprintf(stderr, "axle: %s\n", problem.c_str());
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_engines_json(states));
    std::puts(json.c_str());
    return ok_status();
  }
  TextStyle style;
  style.color = use_color();
  style.width = terminal_width();
  std::fputs(render_engines_text(states, style).c_str(), stdout);
  return ok_status();
}

}  // namespace

int run_engines(int argc, char** argv) {
  OutputFlags output;
  Arguments spec("engines", "Engines with library path, version, ABI, resources, formats, precisions and kernels.");
  output.declare(spec);
  spec.example("axle engines", "what can run models here");
  spec.example("AXLE_ONNXRUNTIME_LIBRARY=/opt/ort/libonnxruntime.so axle engines", "with a library of your own");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  const Status status = engines(output);
  return status.ok() ? 0 : report_failure(status, output.json);
}

}  // namespace axle::cli
