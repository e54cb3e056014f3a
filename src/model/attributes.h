// Reading a node's attributes by name.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "model/graph.h"

namespace axle {

// Null when the node has no such attribute.
inline const Attribute* find_attribute(const Node& node, std::string_view name) {
  const auto found =
      std::find_if(node.attributes.begin(), node.attributes.end(), [&](const Attribute& a) { return a.name == name; });
  return found == node.attributes.end() ? nullptr : &*found;
}

inline int64_t int_attribute(const Node& node, std::string_view name, int64_t fallback) {
  const Attribute* attribute = find_attribute(node, name);
  return attribute != nullptr && attribute->kind == AttributeKind::kInt ? attribute->ints.front() : fallback;
}

inline std::vector<int64_t> ints_attribute(const Node& node, std::string_view name) {
  const Attribute* attribute = find_attribute(node, name);
  return attribute != nullptr && attribute->kind == AttributeKind::kInts ? attribute->ints : std::vector<int64_t>{};
}

inline std::string text_attribute(const Node& node, std::string_view name, std::string_view fallback) {
  const Attribute* attribute = find_attribute(node, name);
  return std::string(
      attribute != nullptr && attribute->kind == AttributeKind::kText ? std::string_view(attribute->texts.front()) : fallback);
}

}  // namespace axle
