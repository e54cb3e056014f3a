// The words of a policy's enumerations, as TOML, JSON and flags write them.
#pragma once

#include <optional>
#include <string_view>

#include "axle/policy.h"

namespace axle {

std::string_view isolation_name(Isolation isolation) noexcept;  // "auto", "none", "process"
std::optional<Isolation> parse_isolation(std::string_view name) noexcept;
std::string_view schedule_kind_name(ScheduleKind kind) noexcept;  // "auto", "single", "replicas", "pipeline", "split"
std::optional<ScheduleKind> parse_schedule_kind(std::string_view name) noexcept;
std::optional<ScheduleKind> parse_each(std::string_view name) noexcept;  // what a replica may be: "single", "pipeline", "split"
std::string_view mixing_name(Mixing mixing) noexcept;  // "never", "needed", "allowed"
std::optional<Mixing> parse_mixing(std::string_view name) noexcept;
std::string_view evidence_use_name(EvidenceUse use) noexcept;  // "use", "require", "ignore"
std::optional<EvidenceUse> parse_evidence_use(std::string_view name) noexcept;

inline constexpr const char* kObjectiveWords = "latency, throughput, energy, cost, memory, hybrid";
inline constexpr const char* kIsolationWords = "auto, none, process";
inline constexpr const char* kScheduleKindWords = "auto, single, replicas, pipeline, split";
inline constexpr const char* kEachWords = "single, pipeline, split";
inline constexpr const char* kMixingWords = "never, needed, allowed";
inline constexpr const char* kEvidenceUseWords = "use, require, ignore";

// Precisions that a policy may ask for: f64 f32 tf32 bf16 f16 f8e4m3fn f8e5m2 int8 int4. "fp16" and the like are accepted
// by normal_precision, which gives the name used everywhere else; nullopt for an unknown one.
std::optional<std::string_view> normal_precision(std::string_view name) noexcept;
inline constexpr const char* kPrecisionWords = "f64, f32, tf32, bf16, f16, f8e4m3fn, f8e5m2, int8, int4";

}  // namespace axle
