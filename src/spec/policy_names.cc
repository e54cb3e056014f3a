#include "spec/policy_names.h"

#include <array>
#include <utility>

namespace axle {
namespace {

// Position in the table = value of the enumerator.
template <typename E, size_t N>
std::optional<E> find_word(const std::array<std::string_view, N>& words, std::string_view name) noexcept {
  for (size_t i = 0; i < N; ++i) {
    if (words[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

template <typename E, size_t N>
std::string_view word_of(const std::array<std::string_view, N>& words, E value) noexcept {
  const auto index = static_cast<size_t>(value);
  return index < N ? words[index] : "unknown";
}

constexpr std::array<std::string_view, 6> kObjectives = {"latency", "throughput", "energy", "cost", "memory", "hybrid"};
constexpr std::array<std::string_view, 3> kIsolations = {"auto", "none", "process"};
constexpr std::array<std::string_view, 5> kScheduleKinds = {"auto", "single", "replicas", "pipeline", "split"};
constexpr std::array<std::string_view, 3> kMixings = {"never", "needed", "allowed"};
constexpr std::array<std::string_view, 3> kEvidenceUses = {"use", "require", "ignore"};

constexpr std::pair<std::string_view, std::string_view> kPrecisions[] = {
    {"f64", "f64"},      {"fp64", "f64"},        {"float64", "f64"},       {"double", "f64"},    {"f32", "f32"},
    {"fp32", "f32"},     {"float32", "f32"},     {"tf32", "tf32"},         {"bf16", "bf16"},     {"bfloat16", "bf16"},
    {"f16", "f16"},      {"fp16", "f16"},        {"float16", "f16"},       {"half", "f16"},      {"f8e4m3fn", "f8e4m3fn"},
    {"fp8", "f8e4m3fn"}, {"f8e4m3", "f8e4m3fn"}, {"fp8_e4m3", "f8e4m3fn"}, {"f8e5m2", "f8e5m2"}, {"fp8_e5m2", "f8e5m2"},
    {"int8", "int8"},    {"i8", "int8"},         {"int4", "int4"},         {"i4", "int4"},
};

}  // namespace

std::string_view objective_name(Objective objective) noexcept { return word_of(kObjectives, objective); }
std::optional<Objective> parse_objective(std::string_view name) noexcept { return find_word<Objective>(kObjectives, name); }
std::string_view isolation_name(Isolation isolation) noexcept { return word_of(kIsolations, isolation); }
std::optional<Isolation> parse_isolation(std::string_view name) noexcept { return find_word<Isolation>(kIsolations, name); }
std::string_view schedule_kind_name(ScheduleKind kind) noexcept { return word_of(kScheduleKinds, kind); }
std::optional<ScheduleKind> parse_schedule_kind(std::string_view name) noexcept {
  return find_word<ScheduleKind>(kScheduleKinds, name);
}
std::optional<ScheduleKind> parse_each(std::string_view name) noexcept {
  const auto kind = parse_schedule_kind(name);
  return kind == ScheduleKind::kAuto || kind == ScheduleKind::kReplicas ? std::nullopt : kind;
}
std::string_view mixing_name(Mixing mixing) noexcept { return word_of(kMixings, mixing); }
std::optional<Mixing> parse_mixing(std::string_view name) noexcept { return find_word<Mixing>(kMixings, name); }
std::string_view evidence_use_name(EvidenceUse use) noexcept { return word_of(kEvidenceUses, use); }
std::optional<EvidenceUse> parse_evidence_use(std::string_view name) noexcept {
  return find_word<EvidenceUse>(kEvidenceUses, name);
}

std::optional<std::string_view> normal_precision(std::string_view name) noexcept {
  for (const auto& [written, normal] : kPrecisions) {
    if (written == name) return normal;
  }
  return std::nullopt;
}

}  // namespace axle
