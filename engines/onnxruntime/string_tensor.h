// String tensors in both directions: texts of the caller into a vendor value, and back into storage of ours.
#pragma once

#include <string>
#include <vector>

#include "ort_api.h"

namespace axle::ort {

// Copies `count` texts (any bytes) into a vendor string tensor of that many elements.
void fill_strings(const Api& api, OrtValue* value, const axle_text_t* texts, size_t count);

struct Strings {
  std::string bytes;
  std::vector<axle_text_t> texts;  // into bytes
};

// Replaces `out` with the `count` elements of `value`.
void read_strings(const Api& api, const OrtValue* value, size_t count, Strings& out);

}  // namespace axle::ort
