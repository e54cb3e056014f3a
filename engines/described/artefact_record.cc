#include "artefact_record.h"

#include <fmt/core.h>

#include "base/json.h"

namespace axle::described {
namespace {

Json specs_to_json(const std::vector<kit::IoSpec>& specs) {
  Json list = Json::array();
  for (const kit::IoSpec& spec : specs) {
    list.push_back({{"name", spec.name}, {"dtype", kit::data_type_name(spec.dtype)}, {"shape", sizes_of(spec)}});
  }
  return list;
}

Status read_specs(JsonReader& reader, const char* key, std::vector<kit::IoSpec>& specs) {
  for (const Json& item : reader.array(key)) {
    JsonReader member(item, key);
    kit::IoSpec spec;
    spec.name = member.text("name");
    spec.dtype = kit::parse_data_type(member.text("dtype"));
    spec.mode = kit::OutputMode::kEither;
    for (const int64_t size : member.integers_or_empty("shape")) {
      if (size < 0) return data_loss_error("a negative size");
      spec.shape.push_back({size, ""});
    }
    AXLE_RETURN_IF_ERROR(member.finish());
    if (spec.dtype == 0) return data_loss_error("an unknown element type");
    specs.push_back(std::move(spec));
  }
  return reader.status();
}

Result<ArtefactRecord> read_record(std::string_view text) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxRecordBytes, 16));
  if (!json.is_object()) return data_loss_error("it is no JSON object");
  JsonReader reader(json, "record");
  ArtefactRecord record;
  record.engine = reader.text("engine");
  record.precision = reader.text("precision");
  AXLE_RETURN_IF_ERROR(read_specs(reader, "inputs", record.io.inputs));
  AXLE_RETURN_IF_ERROR(read_specs(reader, "outputs", record.io.outputs));
  const Json& facts = reader.object("compatibility");
  for (auto fact = facts.begin(); facts.is_object() && fact != facts.end(); ++fact) {
    if (!fact->is_string()) return data_loss_error("a compatibility value is no text");
    record.compatibility[fact.key()] = fact->get<std::string>();
  }
  AXLE_RETURN_IF_ERROR(reader.finish());
  return record;
}

Status add_static(const kit::Value& value, std::vector<kit::IoSpec>& specs) {
  kit::IoSpec spec = kit::to_io_spec(value);
  bool open = !spec.rank_known || spec.dtype == 0;
  for (const kit::Dim& dim : spec.shape) open = open || dim.size < 0;
  if (open) {
    return unimplemented_error(fmt::format("'{}' has no fixed type and shape", spec.name))
        .with_hint("fix the model's shapes: static_shape = true and [shapes] in the policy");
  }
  if (spec.dtype == 8) return unimplemented_error(fmt::format("'{}' holds strings", spec.name));
  specs.push_back(std::move(spec));
  return ok_status();
}

}  // namespace

std::vector<int64_t> sizes_of(const kit::IoSpec& spec) {
  std::vector<int64_t> sizes;
  for (const kit::Dim& dim : spec.shape) sizes.push_back(dim.size);
  return sizes;
}

Result<std::string> format_record(const ArtefactRecord& record) {
  return canonical_json({{"engine", record.engine},
                         {"precision", record.precision},
                         {"inputs", specs_to_json(record.io.inputs)},
                         {"outputs", specs_to_json(record.io.outputs)},
                         {"compatibility", record.compatibility}});
}

Result<ArtefactRecord> parse_record(std::string_view text) {
  auto record = read_record(text);
  if (record.ok()) return record;
  return data_loss_error(fmt::format("{} of the artefact is damaged: {}", kRecordFile, record.status().message()))
      .with_hint("remove it (axle cache rm) and compile again");
}

Result<kit::Io> static_io(const kit::Graph& graph) {
  kit::Io io;
  for (uint32_t i = 0; i < graph.input_count(); ++i) AXLE_RETURN_IF_ERROR(add_static(graph.input(i), io.inputs));
  for (uint32_t i = 0; i < graph.output_count(); ++i) AXLE_RETURN_IF_ERROR(add_static(graph.output(i), io.outputs));
  return io;
}

}  // namespace axle::described
