// What nodes compute in, as engines told after load.
#pragma once

#include <string>

#include "axle/explain.h"

namespace axle {

// How many nodes of each part run in which precision, or (verbose) every node. "" where nothing was loaded or told.
std::string render_effective_text(const RunDocument& document, const TextStyle& style);
// "41 nodes in bf16, 6 in f32"; "" where nothing was told, or nothing but f32 was asked for.
std::string effective_words(const RunDocument& document);

}  // namespace axle
