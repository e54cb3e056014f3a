// What the planner is told of a model, and the text keys that name input shapes and samples in evidence.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "axle/model.h"
#include "axle/tensor.h"
#include "spec/planner_input.h"

namespace axle {

// Facts at the shapes of `samples` (those of the file when empty). INVALID_ARGUMENT: a sample contradicts the model.
Result<ModelFacts> model_facts(const Model& model, std::span<const NamedTensor> samples);

// The files the digest covers; empty for a model made from bytes.
std::vector<ModelFileFacts> model_files(const Model& model);

// shapes_text of the model at the shapes of `samples`.
std::string input_shapes_text(const std::vector<IoSpec>& inputs, std::span<const NamedTensor> samples);

// The size of each open axis ("batch", "x[0]") in the samples; the first input that has the axis counts.
std::map<std::string, int64_t> sample_axes(const std::vector<IoSpec>& inputs, std::span<const NamedTensor> samples);

// Without samples a policy's [shapes] is judged on the first size of each axis.
std::map<std::string, int64_t> first_prepared_sizes(const Policy& policy);

// "sha256:..." over names, dtypes, shapes and bytes in name order; "" when there are none.
std::string samples_digest(std::span<const NamedTensor> samples);

// OK when every sample is an input of the model with its dtype, rank and fixed sizes, no name twice, none missing.
// The message names the input, what was given and what is wanted.
Status check_feeds(const std::vector<IoSpec>& inputs, std::span<const NamedTensor> feeds);

// The same for one input.
Status check_feed(const IoSpec& spec, const Tensor& tensor);

}  // namespace axle
