// Texts of locks as people compare them.
#pragma once

#include <string>

namespace axle {

// Digests as "sha256:" and 12 digits, other long texts cut; everything where `verbose`.
inline std::string short_text(const std::string& text, bool verbose) {
  constexpr size_t kShortText = 60;
  constexpr size_t kShortDigest = 19;
  if (verbose) return text;
  if (text.starts_with("sha256:") && text.size() == 71) return text.substr(0, kShortDigest);
  return text.size() > kShortText ? text.substr(0, kShortText) + "..." : text;
}

}  // namespace axle
