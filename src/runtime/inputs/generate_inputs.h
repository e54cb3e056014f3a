// What is known of generated inputs before there are any.
#pragma once

#include <vector>

#include "axle/tune.h"

namespace axle {

// Of every input that is not optional, in order.
std::vector<Shape> generated_shapes(const Model& model, const GenerateOptions& options);
// The size that a run found unknown axes to need under this policy's shapes; "" = none did. Plans without samples hang on it.
std::string known_sample_size(Runtime& runtime, const Model& model, const Policy& policy);
// Whether samples of this digest came from generate_samples with a seed other than 0.
bool is_generated(Runtime& runtime, const Model& model, const std::string& digest);

}  // namespace axle
