// axle inspect: what a model is, and what each engine says of it.
#include <cstdio>

#include "axle/explain.h"
#include "axle/runtime.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

Status inspect(const std::string& path, const OutputFlags& output) {
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Model model, open_model(*runtime, path));
  AXLE_ASSIGN_OR_RETURN(const std::vector<EngineOpinion> opinions, engine_opinions(*runtime, model));
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_model_json(model, opinions));
    std::puts(json.c_str());
    return ok_status();
  }
  std::fputs(render_model_text(model, opinions, text_style(output.verbose)).c_str(), stdout);
  return ok_status();
}

}  // namespace

int run_inspect(int argc, char** argv) {
  std::string model;
  OutputFlags output;
  Arguments spec("inspect", "Format, digest, inputs, category, operators, work, and what each engine says of the model.");
  spec.positional(model, "MODEL", "model file or folder");
  output.declare(spec);
  spec.example("axle inspect model.onnx", "for people");
  spec.example("axle inspect model.onnx --json", "for scripts");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  const Status status = inspect(model, output);
  return status.ok() ? 0 : report_failure(status, output.json);
}

}  // namespace axle::cli
