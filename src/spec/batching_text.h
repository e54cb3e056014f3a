// What a plan says of requests that are computed together, in words.
#pragma once

#include <string>

#include "axle/plan.h"

namespace axle {

// "up to 8 rows of axis batch, 1 run at a time, the first waiting 200 us for others"; "" when each is computed alone.
std::string batching_text(const Batching& batching);

}  // namespace axle
