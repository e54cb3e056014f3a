// Read access to the host's graph through the accessors of the host table. Views: valid as long as the graph handle.
// Every function throws kit::Error when the host refuses.
#pragma once

#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "axle/engine_kit/tensor.h"

namespace axle::kit {

namespace detail {
inline void check_host(int32_t code, const char* what) {
  if (code != AXLE_OK) throw Error(static_cast<axle_code_t>(code), std::string("the host's ") + what + " failed");
}
}  // namespace detail

struct Value : axle_value_info_t {
  bool absent() const noexcept { return axle_value_info_t::name.size == 0; }  // an omitted optional input
  std::string_view value_name() const noexcept { return text(axle_value_info_t::name); }
  bool rank_known() const noexcept { return rank >= 0; }
  std::span<const axle_dim_t> shape() const noexcept { return {dims, rank < 0 ? 0 : static_cast<size_t>(rank)}; }
};

// As the io answer wants it.
inline IoSpec to_io_spec(const Value& value) {
  IoSpec spec;
  spec.name = value.value_name();
  spec.dtype = value.dtype;
  spec.rank_known = value.rank_known();
  for (const axle_dim_t& dim : value.shape()) {
    spec.shape.push_back({dim.size, dim.size < 0 ? std::string(text(dim.symbol)) : std::string()});
  }
  return spec;
}

// The bytes of an initialiser, kept alive as long as this object lives, also after load returned. Copyable.
class Weight {
 public:
  Weight(Host host, const axle_weight_t* weight)
      : held_((host.api()->weight_retain(host.api()->host, weight), weight),
              [host](const axle_weight_t* w) { host.api()->weight_release(host.api()->host, w); }) {
    info_.struct_size = sizeof(info_);
    detail::check_host(host.api()->weight_info(host.api()->host, weight, &info_), "weight_info");
  }
  std::string_view name() const noexcept { return text(info_.name); }
  int32_t dtype() const noexcept { return info_.dtype; }
  std::span<const int64_t> shape() const noexcept { return {info_.shape, static_cast<size_t>(info_.rank)}; }
  const void* data() const noexcept { return info_.data; }
  size_t size_bytes() const noexcept { return info_.size_bytes; }
  const axle_weight_info_t& info() const noexcept { return info_; }

 private:
  std::shared_ptr<const axle_weight_t> held_;
  axle_weight_info_t info_{};
};

struct Attribute : axle_attribute_t {
  std::string_view attribute_name() const noexcept { return kit::text(axle_attribute_t::name); }
  std::span<const int64_t> int_values() const noexcept { return {ints, ints == nullptr ? 0 : count}; }
  std::span<const float> float_values() const noexcept { return {floats, floats == nullptr ? 0 : count}; }
};

class Node {
 public:
  Node(Host host, const axle_graph_t* graph, uint32_t index) : host_(host), graph_(graph), index_(index) {
    info_.struct_size = sizeof(info_);
    detail::check_host(host.api()->graph_node(host.api()->host, graph, index, &info_), "graph_node");
  }
  uint32_t index() const noexcept { return index_; }
  std::string_view name() const noexcept { return text(info_.name); }
  std::string_view op_type() const noexcept { return text(info_.op_type); }
  std::string_view domain() const noexcept { return text(info_.domain); }
  int64_t opset() const noexcept { return info_.opset; }
  uint32_t input_count() const noexcept { return info_.input_count; }
  uint32_t output_count() const noexcept { return info_.output_count; }
  uint32_t attribute_count() const noexcept { return info_.attribute_count; }
  bool has_subgraph() const noexcept { return info_.has_subgraph != 0; }

  Value input(uint32_t index) const {
    Value value{};
    value.struct_size = sizeof(axle_value_info_t);
    detail::check_host(host_.api()->graph_node_input(host_.api()->host, graph_, index_, index, &value), "graph_node_input");
    return value;
  }
  Value output(uint32_t index) const {
    Value value{};
    value.struct_size = sizeof(axle_value_info_t);
    detail::check_host(host_.api()->graph_node_output(host_.api()->host, graph_, index_, index, &value), "graph_node_output");
    return value;
  }
  Attribute attribute(uint32_t index) const {
    Attribute attribute{};
    attribute.struct_size = sizeof(axle_attribute_t);
    detail::check_host(host_.api()->graph_node_attribute(host_.api()->host, graph_, index_, index, &attribute),
                       "graph_node_attribute");
    return attribute;
  }
  std::optional<Attribute> find_attribute(std::string_view name) const {
    for (uint32_t i = 0; i < attribute_count(); ++i) {
      if (Attribute found = attribute(i); found.attribute_name() == name) return found;
    }
    return std::nullopt;
  }
  int64_t int_or(std::string_view name, int64_t fallback) const {
    const auto found = find_attribute(name);
    return found && found->kind == AXLE_ATTRIBUTE_INT && found->ints != nullptr ? found->ints[0] : fallback;
  }
  float float_or(std::string_view name, float fallback) const {
    const auto found = find_attribute(name);
    return found && found->kind == AXLE_ATTRIBUTE_FLOAT && found->floats != nullptr ? found->floats[0] : fallback;
  }
  std::string_view text_or(std::string_view name, std::string_view fallback) const {
    const auto found = find_attribute(name);
    return found && found->kind == AXLE_ATTRIBUTE_TEXT ? text(found->text) : fallback;
  }

 private:
  Host host_;
  const axle_graph_t* graph_;
  uint32_t index_;
  axle_node_info_t info_{};
};

// ModelProto bytes and the folder its external data is relative to (empty: all inline).
struct OnnxModel {
  std::string_view bytes;
  std::string_view folder;
};

class Graph {
 public:
  Graph(Host host, const axle_graph_t* graph) : host_(host), graph_(graph) {
    if (graph == nullptr) throw invalid_argument("no graph was given");
    info_.struct_size = sizeof(info_);
    detail::check_host(host.api()->graph_info(host.api()->host, graph, &info_), "graph_info");
  }
  const axle_graph_t* handle() const noexcept { return graph_; }
  std::string_view format() const noexcept { return text(info_.format); }
  std::string_view path() const noexcept { return text(info_.path); }
  std::string_view digest() const noexcept { return text(info_.digest); }
  uint32_t node_count() const noexcept { return info_.node_count; }
  uint32_t input_count() const noexcept { return info_.input_count; }
  uint32_t output_count() const noexcept { return info_.output_count; }
  uint32_t weight_count() const noexcept { return info_.weight_count; }

  Node node(uint32_t index) const { return Node(host_, graph_, index); }
  Value input(uint32_t index) const { return boundary(host_.api()->graph_input, index, "graph_input"); }
  Value output(uint32_t index) const { return boundary(host_.api()->graph_output, index, "graph_output"); }
  Weight weight(uint32_t index) const {
    const axle_weight_t* weight = nullptr;
    detail::check_host(host_.api()->graph_weight(host_.api()->host, graph_, index, &weight), "graph_weight");
    return Weight(host_, weight);
  }
  // Version of an imported domain ("" = ai.onnx), 0 when it is not imported.
  int64_t opset(std::string_view domain) const {
    for (uint32_t i = 0; i < info_.opset_count; ++i) {
      axle_text_t name{};
      int64_t version = 0;
      detail::check_host(host_.api()->graph_opset(host_.api()->host, graph_, i, &name, &version), "graph_opset");
      if (text(name) == domain) return version;
    }
    return 0;
  }
  OnnxModel onnx() const {
    axle_text_t bytes{}, folder{};
    detail::check_host(host_.api()->graph_onnx_bytes(host_.api()->host, graph_, &bytes, &folder), "graph_onnx_bytes");
    return {text(bytes), text(folder)};
  }

  // for (const kit::Node& node : graph.nodes())
  class NodeRange {
   public:
    class Iterator {
     public:
      using value_type = Node;
      using difference_type = std::ptrdiff_t;
      Iterator(const Graph* graph, uint32_t index) : graph_(graph), index_(index) {}
      Node operator*() const { return graph_->node(index_); }
      Iterator& operator++() { return ++index_, *this; }
      bool operator!=(const Iterator& other) const noexcept { return index_ != other.index_; }

     private:
      const Graph* graph_;
      uint32_t index_;
    };
    explicit NodeRange(const Graph* graph) : graph_(graph) {}
    Iterator begin() const { return {graph_, 0}; }
    Iterator end() const { return {graph_, graph_->node_count()}; }

   private:
    const Graph* graph_;
  };
  NodeRange nodes() const { return NodeRange(this); }

 private:
  template <typename Accessor>
  Value boundary(Accessor accessor, uint32_t index, const char* what) const {
    Value value{};
    value.struct_size = sizeof(axle_value_info_t);
    detail::check_host(accessor(host_.api()->host, graph_, index, &value), what);
    return value;
  }

  Host host_;
  const axle_graph_t* graph_;
  axle_graph_info_t info_{};
};

}  // namespace axle::kit
