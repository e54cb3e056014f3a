#include "spec/variant_json.h"

#include "spec/candidate.h"
#include "spec/json_fields.h"

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

}  // namespace axle
