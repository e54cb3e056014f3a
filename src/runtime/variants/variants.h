// Variants: copies of a model at another precision that the policy asks for. Making them is one thing (seconds to minutes, in a
// process of its own), finding those that are there another; the planner is told only what was found.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "axle/cache.h"
#include "axle/runtime.h"
#include "spec/planner_input.h"

namespace axle {

// Makes the variants that request.policy asks for and the cache lacks. A converter that is missing or fails is no failure of this
// call: collect_variants tells it. NOT_FOUND, INVALID_ARGUMENT: the calibration data that the policy names is not there or does not
// fit the model. CANCELLED.
Status prepare_variants(Runtime& runtime, const Model& model, const PlanRequest& request);

// The same, but only where a candidate waits for one: a plan that is refused whatever copy there were is refused at once.
Status prepare_useful_variants(Runtime& runtime, const Model& model, const PlanRequest& request);

// The variants that the policy asks for, each with its digest or the reason why it is not there; none for a model that is
// quantised, is not f32 or is not ONNX. Makes nothing. NOT_FOUND as above.
Result<std::vector<VariantFacts>> collect_variants(Runtime& runtime, const Model& model, const PlanRequest& request);

// The engines' answers for those that are there, at the shapes of `samples`: variant_verdicts and variant_graphs of `input`. A variant
// that cannot be read any more becomes "not prepared".
Status add_variant_answers(Runtime& runtime, const Model& model, const PlanRequest& request,
                           std::span<const NamedTensor> samples, PlannerInput& input);

// A copy that was made, verified; its files stay while the lease lives.
struct OpenVariant {
  Model model;
  Lease lease;
};
// FAILED_PRECONDITION: it is not in the cache. DATA_LOSS: what is there is another one.
Result<OpenVariant> open_variant(Runtime& runtime, const Model& model, const Variant& variant, bool verify = false);

}  // namespace axle
