#include "ports.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace axle::openvino {
namespace {

// By the vendor's element type number.
constexpr std::array<std::pair<ov_element_type_e, int32_t>, 22> kTypes = {
    {{DYNAMIC, 0}, {OV_BOOLEAN, 9}, {BF16, 16},   {F16, 10},   {F32, 1},     {F64, 11},   {I4, 22}, {I8, 3},
     {I16, 5},     {I32, 6},        {I64, 7},     {U2, 25},    {U4, 21},     {U8, 2},     {U16, 4}, {U32, 12},
     {U64, 13},    {F8E4M3, 17},    {F8E5M3, 19}, {STRING, 8}, {F4E2M1, 23}, {F8E8M0, 24}}};

int32_t from_vendor_type(ov_element_type_e type) {
  for (const auto& [vendor, ours] : kTypes) {
    if (vendor == type) return ours;
  }
  return 0;
}

std::string name_of(const Api& api, const ov_output_const_port_t* port) {
  char* text = nullptr;
  if (api.ov_port_get_any_name(port, &text) != OK || text == nullptr) return "";
  std::string name = text;
  api.ov_free(text);
  return name;
}

kit::IoSpec read_spec(const Api& api, const ov_output_const_port_t* port, const kit::IoSpec* known) {
  kit::IoSpec spec;
  spec.name = known != nullptr ? known->name : name_of(api, port);
  ov_element_type_e type = DYNAMIC;
  check(api, api.ov_port_get_element_type(port, &type), "reading the type of '" + spec.name + "'");
  spec.dtype = from_vendor_type(type);
  ov_partial_shape_t shape{};
  check(api, api.ov_port_get_partial_shape(port, &shape), "reading the shape of '" + spec.name + "'");
  spec.rank_known = shape.rank.min == shape.rank.max;
  for (int64_t axis = 0; spec.rank_known && axis < shape.rank.max; ++axis) {
    const ov_dimension_t dim = shape.dims[axis];
    spec.shape.push_back({dim.min == dim.max ? dim.min : -1, ""});
  }
  api.ov_partial_shape_free(&shape);
  const bool same_rank = known != nullptr && known->shape.size() == spec.shape.size();
  for (size_t axis = 0; same_rank && axis < spec.shape.size(); ++axis) {
    if (spec.shape[axis].size < 0) spec.shape[axis].symbol = known->shape[axis].symbol;
  }
  return spec;
}

using CountFn = ov_status_e (*)(const ov_compiled_model_t*, size_t*);
using IndexFn = ov_status_e (*)(const ov_compiled_model_t*, size_t, ov_output_const_port_t**);
using NameFn = ov_status_e (*)(const ov_compiled_model_t*, const char*, ov_output_const_port_t**);

constexpr size_t kNoPort = SIZE_MAX;

struct Side {
  CountFn count_of;
  IndexFn by_index;
  NameFn by_name;
  bool may_lack;
};

bool may_be(const Api& api, const ov_output_const_port_t* port, const kit::IoSpec& spec) {
  ov_element_type_e type = DYNAMIC;
  if (api.ov_port_get_element_type(port, &type) != OK) return false;
  return spec.dtype == 0 || from_vendor_type(type) == spec.dtype;
}

// Which port each of `known` is: it has that name (it may have several), or it is what the names leave over, in the vendor's order.
// Empty when these cannot be the same inputs or outputs. The vendor leaves out an input that nothing reads: kNoPort then.
std::vector<size_t> order_of(const Api& api, const ov_compiled_model_t* model, const Side& side, const std::vector<Port>& ports,
                             const std::vector<kit::IoSpec>& known) {
  const bool lacking = side.may_lack && known.size() > ports.size();
  if (known.size() != ports.size() && !lacking) return {};
  std::vector<std::string> names;
  for (const Port& port : ports) names.push_back(name_of(api, port.get()));
  std::vector<size_t> order(known.size(), kNoPort);
  std::vector<bool> taken(ports.size(), false);
  const auto take = [&](size_t& place, const auto& fits) {
    for (size_t i = 0; place == kNoPort && i < ports.size(); ++i) {
      if (taken[i] || !fits(i)) continue;
      place = i;
      taken[i] = true;
    }
  };
  for (size_t k = 0; k < known.size(); ++k) {
    ov_output_const_port_t* found = nullptr;
    if (side.by_name(model, known[k].name.c_str(), &found) != OK) continue;
    const Port port(found, api.ov_output_const_port_free);
    const std::string name = name_of(api, found);
    take(order[k], [&](size_t i) { return !name.empty() && names[i] == name; });
  }
  for (size_t k = 0; k < known.size() && !lacking; ++k) {
    take(order[k], [&](size_t i) { return may_be(api, ports[i].get(), known[k]); });
    if (order[k] == kNoPort) return {};
  }
  return std::find(taken.begin(), taken.end(), false) == taken.end() ? order : std::vector<size_t>();
}

std::vector<Port> read_side(const Api& api, const ov_compiled_model_t* model, const Side& side,
                            const std::vector<kit::IoSpec>& known, bool may_differ, std::vector<kit::IoSpec>& specs) {
  size_t count = 0;
  check(api, side.count_of(model, &count), "counting inputs and outputs");
  std::vector<Port> all;
  for (size_t i = 0; i < count; ++i) {
    ov_output_const_port_t* port = nullptr;
    check(api, side.by_index(model, i, &port), "reading an input or output");
    all.emplace_back(port, api.ov_output_const_port_free);
  }
  const std::vector<size_t> order = order_of(api, model, side, all, known);
  const bool same = order.size() == known.size() && (!known.empty() || count == 0);
  if (!same && !may_differ && !known.empty()) {
    throw kit::internal("OpenVINO made " + std::to_string(count) + " inputs or outputs of the model's " +
                        std::to_string(known.size()) + ", or others");
  }
  if (!same) {
    for (const Port& port : all) specs.push_back(read_spec(api, port.get(), nullptr));
    return all;
  }
  std::vector<Port> ports;
  for (size_t i = 0; i < known.size(); ++i) {
    const bool here = order[i] != kNoPort;
    ports.push_back(here ? std::move(all[order[i]]) : Port(nullptr, api.ov_output_const_port_free));
    specs.push_back(here ? read_spec(api, ports.back().get(), &known[i]) : known[i]);
  }
  return ports;
}

}  // namespace

std::vector<Port> read_inputs(const Api& api, const ov_compiled_model_t* model, const std::vector<kit::IoSpec>& known,
                              bool may_differ, std::vector<kit::IoSpec>& specs) {
  return read_side(
      api, model,
      {api.ov_compiled_model_inputs_size, api.ov_compiled_model_input_by_index, api.ov_compiled_model_input_by_name, true},
      known, may_differ, specs);
}

std::vector<Port> read_outputs(const Api& api, const ov_compiled_model_t* model, const std::vector<kit::IoSpec>& known,
                               bool may_differ, std::vector<kit::IoSpec>& specs) {
  return read_side(
      api, model,
      {api.ov_compiled_model_outputs_size, api.ov_compiled_model_output_by_index, api.ov_compiled_model_output_by_name, false},
      known, may_differ, specs);
}

}  // namespace axle::openvino
