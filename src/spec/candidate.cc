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

constexpr std::string_view kMixed = "mixed:";
constexpr size_t kMaxMixedBytes = 16384;

Status malformed_mixed(std::string_view text, std::string_view why) {
  return invalid_argument_error(fmt::format("\"{}\" is not a mixed plan's name: {}", printable(text), why))
      .with_hint("write mixed:CANDIDATE+CANDIDATE#CUT, as `axle plan` prints it");
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

std::string Candidate::format() const {
  return fmt::format("{}@{}/{}{}{}/t{}/{}", engine, resource, precision, variant.empty() ? "" : "~", variant, threads, preset);
}

std::string Variant::name() const {
  constexpr std::string_view kHash = "sha256:";
  return kind + "-" + (digest.starts_with(kHash) ? digest.substr(kHash.size(), 8) : digest.substr(0, 8));
}

Result<Candidate> parse_candidate(std::string_view text) {
  if (text.size() > kMaxCandidateBytes) return malformed(text, "it is too long");
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return malformed(text, "there is no '@' after the engine");
  std::string_view rest = text.substr(at + 1), preset, threads, precision;
  if (!cut_last_field(rest, preset) || !cut_last_field(rest, threads) || !cut_last_field(rest, precision)) {
    return malformed(text, "it needs a resource, a precision, threads and a preset after the '@'");
  }
  const size_t tilde = precision.find('~');
  Candidate candidate{std::string(text.substr(0, at)), std::string(rest), std::string(precision.substr(0, tilde)), 0,
                      std::string(preset)};
  if (tilde != std::string_view::npos) {
    candidate.variant = precision.substr(tilde + 1);
    if (!is_candidate_word(candidate.variant)) return malformed(text, "the variant's name is malformed");
  }
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

bool is_mixed_name(std::string_view text) noexcept { return text.starts_with(kMixed); }

std::string MixedName::format() const {
  std::string text(kMixed);
  for (const Candidate& candidate : candidates) {
    if (&candidate != &candidates.front()) text += '+';
    text += candidate.format();
  }
  return text + '#' + cut;
}

std::vector<Candidate> candidates_of(const std::vector<Partition>& partitions) {
  std::vector<Candidate> candidates;
  for (const Partition& part : partitions) {
    if (std::find(candidates.begin(), candidates.end(), part.candidate) == candidates.end())
      candidates.push_back(part.candidate);
  }
  return candidates;
}

Result<MixedName> parse_mixed_name(std::string_view text) {
  const size_t hash = text.rfind('#');
  if (!is_mixed_name(text) || text.size() > kMaxMixedBytes || hash == std::string_view::npos)
    return malformed_mixed(text, "it must begin with \"mixed:\" and end with '#' and the cut");
  MixedName name;
  name.cut = text.substr(hash + 1);
  if (name.cut.size() != 8 || name.cut.find_first_not_of("0123456789abcdef") != std::string::npos)
    return malformed_mixed(text, "the cut is 8 hex digits");
  // A preset may hold a plus sign, an engine's name in front of an '@' does not.
  std::vector<std::string> pieces;
  for (const std::string_view piece : split(text.substr(kMixed.size(), hash - kMixed.size()), '+')) {
    if (piece.find('@') != std::string_view::npos || pieces.empty())
      pieces.emplace_back(piece);
    else
      pieces.back() += "+" + std::string(piece);
  }
  for (const std::string& piece : pieces) {
    AXLE_ASSIGN_OR_RETURN(Candidate candidate, parse_candidate(piece));
    if (std::find(name.candidates.begin(), name.candidates.end(), candidate) != name.candidates.end())
      return malformed_mixed(text, "it names a candidate twice");
    name.candidates.push_back(std::move(candidate));
  }
  return name;
}

Status check_candidate_name(std::string_view text) {
  return is_mixed_name(text) ? parse_mixed_name(text).status() : parse_candidate(text).status();
}

}  // namespace axle
