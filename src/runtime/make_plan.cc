#include "axle/convert.h"
#include "cache/memo.h"
#include "engine/library_digest.h"
#include "planner/planner.h"
#include "runtime/facts/plan_memo.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/inputs/generate_inputs.h"
#include "runtime/runtime_state.h"
#include "runtime/variants/fixed_inputs.h"
#include "runtime/variants/variants.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

// Vendor libraries and plugins of the engines that were looked at.
std::vector<std::string> library_paths(Runtime& runtime, const PlannerInput& input) {
  std::vector<std::string> paths;
  for (const EngineFacts& engine : input.engines) {
    if (engine.info.library) {
      for (std::string& file : library_family(engine.info.library->path)) paths.push_back(std::move(file));
      for (const std::string& part : engine.info.library->parts) paths.push_back(part);
    }
    const auto state = runtime.engines().state(engine.info.name);
    if (state && !state->plugin_path.empty()) paths.push_back(state->plugin_path);
  }
  return paths;
}

// A plan holds while the same variants are there; "" where the policy asks for none.
Result<std::string> variants_text(Runtime& runtime, const Model& model, const PlanRequest& request) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<VariantFacts> rows, collect_variants(runtime, model, request));
  std::string text;
  for (const VariantFacts& row : rows)
    text += row.variant.name() + "\t" + row.code + "\t" + row.reason + "\t" + row.note + "\n";
  return text;
}

// The policy's digest holds where its samples lie, not what they are. A file that cannot be read is said when the plan is made.
std::string samples_text(Runtime& runtime, const Policy& policy) {
  const std::string& path = policy.accuracy.samples;
  if (path.empty()) return "";
  const auto digest = stamped_digest(runtime.state().memo(), path);
  return digest ? "\t" + digest->digest.to_string() : "\tunreadable";
}

}  // namespace

Result<PlanReport> make_plan(Runtime& runtime, const Model& model, const PlanRequest& request) {
  if (needs_conversion(model.format())) {
    AXLE_ASSIGN_OR_RETURN(const Model onnx, convert_model(runtime, model, {request.samples, request.progress, request.cancel}));
    PlanRequest on_onnx = request;
    on_onnx.samples = without_fixed_inputs(onnx, request.samples);
    return make_plan(runtime, onnx, on_onnx);
  }
  AXLE_ASSIGN_OR_RETURN(const Machine here, runtime.machine());
  if (request.prepare) AXLE_RETURN_IF_ERROR(prepare_useful_variants(runtime, model, request));
  AXLE_ASSIGN_OR_RETURN(const std::string variants, variants_text(runtime, model, request));
  const std::string sizes = request.samples.empty() ? known_sample_size(runtime, model, request.policy) : "";
  const std::string key = plan_memo_key(model, request, request.machine != nullptr ? *request.machine : here,
                                        variants + sizes + samples_text(runtime, request.policy));
  // A lock needs the planner's input, which is not remembered.
  if (request.reuse && !request.keep_input) {
    if (auto report = recall_plan(runtime, key)) return *std::move(report);
  }
  AXLE_ASSIGN_OR_RETURN(const PlannerInput input, collect_planner_input(runtime, model, request));
  AXLE_ASSIGN_OR_RETURN(PlannerOutput output, make_plan(input));
  PlanReport report{std::move(output.plan), ""};
  if (request.keep_input) {
    AXLE_ASSIGN_OR_RETURN(report.input_json, planner_input_to_json(input));
  }
  remember_plan(runtime, key, report, library_paths(runtime, input));
  return report;
}

}  // namespace axle
