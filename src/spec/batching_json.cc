#include "spec/batching_json.h"

#include "spec/json_fields.h"

namespace axle {

Json batching_to_json(const Batching& batching) {
  return {{"axis", batching.axis}, {"rows", batching.rows}, {"runs", batching.runs}, {"wait_ns", batching.wait_ns}};
}

Result<Batching> read_batching(const Json& json, const std::string& where) {
  constexpr int64_t kLongestWaitNs = int64_t{1} << 62;
  JsonReader reader(json, where);
  Batching batching;
  batching.rows = read_int32(reader, "rows", 2);
  batching.wait_ns = read_bounded(reader, "wait_ns", 0, kLongestWaitNs);
  batching.runs = read_int32(reader, "runs", 1);
  batching.axis = reader.text("axis");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return batching;
}

}  // namespace axle
