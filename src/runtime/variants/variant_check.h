// Checks what a converter made of a model before anybody runs it.
#pragma once

#include <string>
#include <string_view>

#include "axle/model.h"
#include "axle/status.h"

namespace axle {

// Reads the file as any model is read, checker included: the same inputs and outputs as the model's, and of that precision, or quantised.
// The copy's digest. INTERNAL says what is wrong with it.
Result<std::string> check_copy(const Model& model, std::string_view precision, bool quantised, const std::string& path);

}  // namespace axle
