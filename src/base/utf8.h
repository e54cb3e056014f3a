// UTF-8: validity and conversion to and from code points.
#pragma once

#include <string>
#include <string_view>

#include "axle/status.h"

namespace axle {

// True when `text` is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view text) noexcept;
// Code points of `text`; INVALID_ARGUMENT when it is not valid UTF-8.
Result<std::u32string> decode_utf8(std::string_view text);
// INVALID_ARGUMENT for surrogates and values above U+10FFFF.
Result<std::string> encode_utf8(std::u32string_view points);

}  // namespace axle
