#include "spec/candidate.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace axle {
namespace {

constexpr size_t kMaxCandidateBytes = 512;
constexpr int32_t kMaxThreads = 65536;

Status malformed(std::string_view text, std::string_view why) {
  return invalid_argument_error(fmt::format("\"{}\" is not a candidate: {}", printable(text), why))
      .with_hint("write engine@resource/precision/tN/preset, for example onnxruntime@cpu:0/f32/t2/default");
}

// A resource id may itself hold a slash ("cpu:0/1"), so the last three fields are cut from the end.
bool cut_last_field(std::string_view& rest, std::string_view& field) {
  const size_t slash = rest.rfind('/');
  if (slash == std::string_view::npos) return false;
  field = rest.substr(slash + 1);
  rest = rest.substr(0, slash);
  return true;
}

bool is_resource_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '/' || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace

bool is_candidate_word(std::string_view word) noexcept {
  if (word.empty() || word.size() > 64) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return plain(word.front()) &&
         std::all_of(word.begin(), word.end(), [&](char c) { return plain(c) || c == '.' || c == '+' || c == '-'; });
}

std::string Candidate::format() const { return fmt::format("{}@{}/{}/t{}/{}", engine, resource, precision, threads, preset); }

Result<Candidate> parse_candidate(std::string_view text) {
  if (text.size() > kMaxCandidateBytes) return malformed(text, "it is too long");
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return malformed(text, "there is no '@' after the engine");
  std::string_view rest = text.substr(at + 1), preset, threads, precision;
  if (!cut_last_field(rest, preset) || !cut_last_field(rest, threads) || !cut_last_field(rest, precision)) {
    return malformed(text, "it needs a resource, a precision, threads and a preset after the '@'");
  }
  Candidate candidate{std::string(text.substr(0, at)), std::string(rest), std::string(precision), 0, std::string(preset)};
  if (!is_candidate_word(candidate.engine)) return malformed(text, "the engine's name is malformed");
  if (!is_resource_id(candidate.resource)) return malformed(text, "the resource's id is malformed");
  if (!is_candidate_word(candidate.precision)) return malformed(text, "the precision's name is malformed");
  if (!is_candidate_word(candidate.preset)) return malformed(text, "the preset's name is malformed");
  const char* end = threads.data() + threads.size();
  if (threads.size() < 2 || threads.front() != 't' || threads[1] == '0')
    return malformed(text, "threads are written tN with N from 1");
  const auto parsed = std::from_chars(threads.data() + 1, end, candidate.threads);
  if (parsed.ec != std::errc() || parsed.ptr != end || candidate.threads < 1 || candidate.threads > kMaxThreads) {
    return malformed(text, fmt::format("threads are written tN with N from 1 to {}", kMaxThreads));
  }
  return candidate;
}

}  // namespace axle
