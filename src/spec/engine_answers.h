// The documents of docs/formats/engine-answers.md: strict, bounded reading of what a plugin says, and writing it again (for
// locks, workers and tests). Reading a written document gives an equal value.
#pragma once

#include <string_view>
#include <vector>

#include "axle/engine.h"
#include "base/json.h"

namespace axle {

// Unknown keys: ignored (a newer plugin may add some) or refused (conformance, locks).
enum class AnswerKeys : uint8_t { kLenient, kStrict };

inline constexpr size_t kMaxAnswerBytes = 64u << 20;

// All: INVALID_ARGUMENT with the place. `parse_*` take the text of a document, `*_from_json` a parsed one.
Result<EngineInfo> parse_engine_info(std::string_view text, AnswerKeys keys = AnswerKeys::kLenient);
Result<std::vector<EngineResource>> parse_engine_resources(std::string_view text, AnswerKeys keys = AnswerKeys::kLenient);
Result<Capability> parse_capability(std::string_view text, AnswerKeys keys = AnswerKeys::kLenient);
// `node_count` bounds the node indices.
Result<GraphVerdict> parse_graph_verdict(std::string_view text, uint32_t node_count, AnswerKeys keys = AnswerKeys::kLenient);
Result<ArtefactManifest> parse_manifest(std::string_view text, AnswerKeys keys = AnswerKeys::kLenient);
Result<EffectiveValues> parse_effective(std::string_view text, AnswerKeys keys = AnswerKeys::kLenient);
Result<EngineIo> parse_engine_io(std::string_view text, AnswerKeys keys = AnswerKeys::kLenient);
Result<std::map<std::string, double>> parse_counters(std::string_view text);

Result<EngineInfo> engine_info_from_json(const Json& json, AnswerKeys keys);
Result<std::vector<EngineResource>> engine_resources_from_json(const Json& json, AnswerKeys keys);
Result<Capability> capability_from_json(const Json& json, AnswerKeys keys);
Result<GraphVerdict> graph_verdict_from_json(const Json& json, uint32_t node_count, AnswerKeys keys);

Json engine_info_to_json(const EngineInfo& info);
Json engine_resources_to_json(const std::vector<EngineResource>& resources);
Json capability_to_json(const Capability& capability);
Json graph_verdict_to_json(const GraphVerdict& verdict);
Json manifest_to_json(const ArtefactManifest& manifest);
Json effective_to_json(const EffectiveValues& effective);
Json engine_io_to_json(const EngineIo& io);

}  // namespace axle
