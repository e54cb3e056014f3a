#include "spec/graph_facts_json.h"

#include <unordered_set>

#include "spec/json_fields.h"

namespace axle {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 62;

Result<uint64_t> read_count(const Json& json, const std::string& where) {
  if (json.is_number_unsigned() && json.get<uint64_t>() <= kMaxBytes) return json.get<uint64_t>();
  return invalid_argument_error(fmt::format("{} must be an integer from 0", where));
}

Result<int32_t> read_index(const Json& json, const std::string& where) {
  if (json.is_number_integer() && json.get<int64_t>() >= -1 && json.get<int64_t>() <= INT32_MAX)
    return static_cast<int32_t>(json.get<int64_t>());
  return invalid_argument_error(fmt::format("{} must be the number of a node", where));
}

Result<std::vector<int32_t>> read_indices(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() > kMaxListedItems)
    return invalid_argument_error(fmt::format("{} must be a list of nodes", where));
  std::vector<int32_t> indices;
  indices.reserve(json.size());
  for (const Json& item : json) {
    AXLE_ASSIGN_OR_RETURN(const int32_t index, read_index(item, where));
    indices.push_back(index);
  }
  return indices;
}

bool ascends_within(const std::vector<int32_t>& nodes, int32_t above, size_t count) {
  for (const int32_t node : nodes) {
    if (node <= above || static_cast<size_t>(node) >= count) return false;
    above = node;
  }
  return true;
}

}  // namespace

Json tensor_facts_to_json(const TensorFacts& t) { return Json::array({t.name, t.type, t.bytes, t.producer, t.consumers}); }

Result<TensorFacts> read_tensor_facts(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() != 5)
    return invalid_argument_error(fmt::format("{} must be [name, type, bytes, producer, [consumers]]", where));
  TensorFacts tensor;
  AXLE_ASSIGN_OR_RETURN(tensor.name, read_text(json[0], where + "[0]"));
  AXLE_ASSIGN_OR_RETURN(tensor.type, read_text(json[1], where + "[1]"));
  AXLE_ASSIGN_OR_RETURN(tensor.bytes, read_count(json[2], where + "[2]"));
  AXLE_ASSIGN_OR_RETURN(tensor.producer, read_index(json[3], where + "[3]"));
  AXLE_ASSIGN_OR_RETURN(tensor.consumers, read_indices(json[4], where + "[4]"));
  return tensor;
}

Json shared_weight_to_json(const SharedWeightFacts& w) { return Json::array({w.bytes, w.nodes}); }

Result<SharedWeightFacts> read_shared_weight(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() != 2) return invalid_argument_error(fmt::format("{} must be [bytes, [nodes]]", where));
  SharedWeightFacts weight;
  AXLE_ASSIGN_OR_RETURN(weight.bytes, read_count(json[0], where + "[0]"));
  AXLE_ASSIGN_OR_RETURN(weight.nodes, read_indices(json[1], where + "[1]"));
  return weight;
}

Status check_graph_facts(const ModelFacts& model, const std::string& where) {
  const size_t count = model.nodes.size();
  std::unordered_set<std::string_view> names;
  for (const TensorFacts& tensor : model.tensors) {
    const bool made = tensor.producer < 0 || static_cast<size_t>(tensor.producer) < count;
    if (!made || !ascends_within(tensor.consumers, tensor.producer, count)) {
      return invalid_argument_error(
          fmt::format("{}.tensors: \"{}\" must be made by a node and read by later ones, in order", where, tensor.name));
    }
    if (!names.insert(tensor.name).second)
      return invalid_argument_error(fmt::format("{}.tensors names \"{}\" twice", where, tensor.name));
  }
  for (const SharedWeightFacts& weight : model.shared_weights) {
    if (!ascends_within(weight.nodes, -1, count))
      return invalid_argument_error(fmt::format("{}.shared_weights must name nodes in order", where));
  }
  return ok_status();
}

}  // namespace axle
