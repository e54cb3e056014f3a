#include "spec/variant_json.h"

#include <fmt/format.h>

#include "spec/candidate.h"
#include "spec/json_fields.h"
#include "spec/plan_json.h"

namespace axle {

Json variant_to_json(const Variant& variant) {
  return {{"calibration_digest", variant.calibration_digest},
          {"converter", variant.converter},
          {"digest", variant.digest},
          {"kind", variant.kind},
          {"options", map_to_json(variant.options)}};
}

Result<Variant> read_variant(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Variant variant;
  variant.kind = reader.text("kind");
  variant.digest = reader.text("digest");
  variant.converter = reader.text("converter");
  variant.calibration_digest = reader.text("calibration_digest");
  variant.options = read_texts_map(reader, "options");
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (!is_candidate_word(variant.kind) || !is_candidate_word(variant.name()))
    return invalid_argument_error(
        fmt::format("{} names no variant: kind \"{}\", digest \"{}\"", where, variant.kind, variant.digest));
  return variant;
}

Json variant_facts_to_json(const VariantFacts& v) {
  return {{"code", v.code},
          {"note", v.note},
          {"precision", v.precision},
          {"reason", v.reason},
          {"variant", variant_to_json(v.variant)}};
}

Json variant_verdict_to_json(const VariantVerdict& v) {
  return {{"code", v.code},         {"engine", v.engine}, {"nodes", list_to_json(v.nodes, node_reason_to_json)},
          {"resource", v.resource}, {"taken", v.taken},   {"text", v.text},
          {"variant", v.variant}};
}

Result<VariantFacts> read_variant_facts(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  VariantFacts facts;
  facts.precision = reader.text("precision");
  facts.code = reader.text("code");
  facts.reason = reader.text("reason");
  facts.note = reader.text("note");
  const Json& variant = reader.object("variant");
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_ASSIGN_OR_RETURN(facts.variant, read_variant(variant, where + ".variant"));
  if (facts.prepared() == facts.variant.digest.empty())
    return invalid_argument_error(fmt::format("{} must have either a digest or a code that says why not", where));
  return facts;
}

Result<VariantVerdict> read_variant_verdict(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  VariantVerdict verdict;
  verdict.engine = reader.text("engine");
  verdict.resource = reader.text("resource");
  verdict.variant = reader.text("variant");
  verdict.taken = reader.boolean("taken");
  verdict.code = reader.text("code");
  verdict.text = reader.text("text");
  verdict.nodes = read_list<NodeReason>(reader, "nodes", read_node_reason);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return verdict;
}

}  // namespace axle
