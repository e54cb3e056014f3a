// What the description lets be said of a graph before its compiler is asked.
#pragma once

#include "description.h"

namespace axle::described {

kit::Support judge_graph(const Description& description, const kit::SupportArgs& args);

}  // namespace axle::described
