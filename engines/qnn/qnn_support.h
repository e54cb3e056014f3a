// Verdicts: one session over the whole graph in which the CPU may stand in, asked afterwards which nodes went to it. It never runs.
#pragma once

#include "qnn_artefact.h"

namespace axle::qnn {

kit::Support answer_support(const Library& library, const kit::SupportArgs& args);

// What the provider's log said of nodes that it refused: name -> reason. Reads any text.
std::map<std::string, std::string, std::less<>> reasons_in(std::string_view log);

}  // namespace axle::qnn
