#include "spec/evidence_json.h"

#include <tuple>

#include "spec/json_fields.h"

namespace axle {
namespace {

constexpr int64_t kMaxTime = int64_t{1} << 62;

Json paired_to_json(const EvidenceRow::Paired& paired) {
  return {
      {"high", paired.high}, {"low", paired.low}, {"pairs", paired.pairs}, {"ratio", paired.ratio}, {"rival", paired.rival}};
}

Result<EvidenceRow::Paired> read_paired(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  EvidenceRow::Paired paired;
  paired.rival = reader.text("rival");
  paired.ratio = reader.number("ratio");
  paired.low = reader.number("low");
  paired.high = reader.number("high");
  paired.pairs = read_int32(reader, "pairs");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return paired;
}

Result<EvidenceKey> read_key(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  EvidenceKey key;
  key.model_digest = reader.text("model_digest");
  key.candidate = reader.text("candidate");
  key.part = reader.text("part");
  key.shapes = reader.text("shapes");
  key.concurrency = read_int32(reader, "concurrency", 1);
  if (reader.optional("batch") != nullptr) key.batch = read_int32(reader, "batch", 2);
  if (reader.optional("batch_wait_ns") != nullptr) key.batch_wait_ns = read_bounded(reader, "batch_wait_ns", 1, kMaxTime);
  key.samples_digest = reader.text("samples_digest");
  key.library_digest = reader.text("library_digest");
  key.machine = reader.text("machine");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return key;
}

std::vector<int64_t> read_times(JsonReader& reader, const char* key) {
  std::vector<int64_t> times = reader.integers_or_empty(key);
  for (const int64_t time : times) {
    if (time < 0 || time > kMaxTime)
      reader.fail(invalid_argument_error(fmt::format("{}.{} holds {}, which is no time", reader.where(), key, time)));
  }
  return times;
}

}  // namespace

std::string_view evidence_kind_name(EvidenceKind kind) noexcept {
  return kind == EvidenceKind::kFailed ? "failed" : "measured";
}

std::optional<EvidenceKind> parse_evidence_kind(std::string_view name) noexcept {
  if (name == "measured") return EvidenceKind::kMeasured;
  if (name == "failed") return EvidenceKind::kFailed;
  return std::nullopt;
}

namespace {

// What the figures of one output and of the worst one have in common.
template <typename Figures>
Json figures_to_json(const Figures& figures) {
  return {{"cosine", figures.cosine},
          {"max_relative", figures.max_relative},
          {"mismatches", figures.mismatches},
          {"relative_l2", figures.relative_l2},
          {"top1_agreement", figures.top1_agreement}};
}

template <typename Figures>
void read_figures(JsonReader& reader, Figures& figures) {
  figures.max_relative = reader.number("max_relative");
  figures.relative_l2 = reader.number("relative_l2");
  figures.cosine = reader.number("cosine");
  figures.top1_agreement = reader.number("top1_agreement");
  figures.mismatches = read_bounded(reader, "mismatches", 0, kMaxTime);
}

Result<OutputFigures> read_output_figures(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  OutputFigures output;
  output.name = reader.text("name");
  read_figures(reader, output);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return output;
}

}  // namespace

Json error_figures_to_json(const ErrorFigures& error) {
  Json json = figures_to_json(error);
  json["reference"] = error.reference;
  json["worst_output"] = error.worst_output;
  if (error.outputs.empty()) return json;
  json["outputs"] = list_to_json(error.outputs, [](const OutputFigures& output) {
    Json item = figures_to_json(output);
    item["name"] = output.name;
    return item;
  });
  return json;
}

Result<ErrorFigures> read_error_figures(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  ErrorFigures error;
  read_figures(reader, error);
  error.reference = reader.text("reference");
  error.worst_output = reader.text("worst_output");
  error.outputs = read_list<OutputFigures>(reader, "outputs", read_output_figures);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return error;
}

Json evidence_key_to_json(const EvidenceKey& key) {
  Json json = {{"candidate", key.candidate},           {"concurrency", key.concurrency},
               {"library_digest", key.library_digest}, {"machine", key.machine},
               {"model_digest", key.model_digest},     {"part", key.part},
               {"samples_digest", key.samples_digest}, {"shapes", key.shapes}};
  // Keys that came later stand only where they say something: older rows keep their keys.
  if (key.batch != 1) json["batch"] = key.batch;
  if (key.batch_wait_ns != 0) json["batch_wait_ns"] = key.batch_wait_ns;
  return json;
}

Json evidence_row_to_json(const EvidenceRow& row) {
  Json json = {{"block_ns", row.block_ns},
               {"compile_ns", row.compile_ns},
               {"failure_code", row.failure_code},
               {"failure_text", row.failure_text},
               {"first_run_ns", row.first_run_ns},
               {"key", evidence_key_to_json(row.key)},
               {"kind", evidence_kind_name(row.kind)},
               {"load_ns", row.load_ns},
               {"p50_ns", row.p50_ns},
               {"p95_ns", row.p95_ns},
               {"p99_ns", row.p99_ns},
               {"paired", list_to_json(row.paired, paired_to_json)},
               {"peak_memory_bytes", row.peak_memory_bytes},
               {"recorded_unix_s", row.recorded_unix_s},
               {"runs", row.runs},
               {"simulated", row.simulated},
               {"state_json", row.state_json}};
  if (row.error) json["error"] = error_figures_to_json(*row.error);
  if (!row.made_with.empty()) json["made_with"] = map_to_json(row.made_with);
  if (!row.hardware.empty()) json["hardware"] = row.hardware;
  if (row.energy_pj > 0) json["energy_pj"] = row.energy_pj;
  if (!row.energy_source.empty()) json["energy_source"] = row.energy_source;
  return json;
}

Result<EvidenceRow> read_evidence_row(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  EvidenceRow row;
  AXLE_ASSIGN_OR_RETURN(row.key, read_key(reader.object("key"), where + ".key"));
  row.kind = read_word<EvidenceKind>(reader, "kind", parse_evidence_kind, "measured, failed");
  row.simulated = reader.boolean("simulated");
  row.recorded_unix_s = read_bounded(reader, "recorded_unix_s", 0, kMaxTime);
  row.block_ns = read_times(reader, "block_ns");
  row.runs = read_bounded(reader, "runs", 0, kMaxTime);
  row.p50_ns = read_bounded(reader, "p50_ns", 0, kMaxTime);
  row.p95_ns = read_bounded(reader, "p95_ns", 0, kMaxTime);
  row.p99_ns = read_bounded(reader, "p99_ns", 0, kMaxTime);
  row.load_ns = read_bounded(reader, "load_ns", 0, kMaxTime);
  row.compile_ns = read_bounded(reader, "compile_ns", 0, kMaxTime);
  row.first_run_ns = read_bounded(reader, "first_run_ns", 0, kMaxTime);
  row.peak_memory_bytes = read_size(reader, "peak_memory_bytes");
  if (const Json* error = reader.optional("error")) {
    AXLE_ASSIGN_OR_RETURN(row.error, read_error_figures(*error, where + ".error"));
  }
  row.paired = read_list<EvidenceRow::Paired>(reader, "paired", read_paired);
  row.failure_code = reader.text("failure_code");
  row.failure_text = reader.text("failure_text");
  row.state_json = reader.text("state_json");
  row.made_with = read_texts_map(reader, "made_with");
  row.hardware = reader.text_or("hardware", "");
  if (reader.optional("energy_pj") != nullptr) row.energy_pj = read_bounded(reader, "energy_pj", 1, kMaxTime);
  row.energy_source = reader.text_or("energy_source", "");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return row;
}

bool evidence_before(const EvidenceRow& a, const EvidenceRow& b) {
  const auto key = [](const EvidenceRow& row) {
    const EvidenceKey& k = row.key;
    return std::tie(k.model_digest, k.candidate, k.part, k.shapes, k.concurrency, k.batch, k.batch_wait_ns, k.samples_digest,
                    k.library_digest, k.machine, row.recorded_unix_s, row.kind, row.runs, row.p50_ns, row.block_ns,
                    row.failure_text);
  };
  return key(a) < key(b);
}

}  // namespace axle
