// In what types the vendor really computes a graph: read from its own description of the graph that it made.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace axle::qnn {

// Nodes that compute, by the type of their first output. Conversions between types do not count.
struct NodeTypes {
  int fixed8 = 0;
  int fixed16 = 0;
  int floats = 0;
  int others = 0;  // integers that stand for themselves, truth values, 32-bit fixed point

  bool integers() const noexcept { return fixed8 + fixed16 > 0; }
  NodeTypes& operator+=(const NodeTypes& more) noexcept;
};

// nullopt: the text is no such description.
std::optional<NodeTypes> node_types_of(const std::string& json);
// Over all descriptions in a folder; nullopt when there is none, or one cannot be read.
std::optional<NodeTypes> node_types_in(const std::string& folder);

// A line of our own that goes with a compiled graph, and back.
std::string to_line(const NodeTypes& types);
std::optional<NodeTypes> from_line(std::string_view line);

}  // namespace axle::qnn
