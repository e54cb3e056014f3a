#include "node_types.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

namespace axle::qnn {
namespace {

using Json = nlohmann::json;

// The vendor's public Qnn_DataType_t: the kind in the second byte, the width, written in decimal digits, in the first.
constexpr unsigned kFloat = 0x02, kSignedFixed = 0x03, kUnsignedFixed = 0x04;
constexpr std::string_view kNotAGraph = "_tensor_log.json";  // sizes of tensors, beside each description
constexpr unsigned kEight = 0x08, kSixteen = 0x16;
constexpr std::array<std::string_view, 4> kConversions = {"Quantize", "Dequantize", "Convert", "Cast"};

void count(NodeTypes& types, unsigned type) {
  const unsigned kind = type >> 8, width = type & 0xff;
  const bool fixed = kind == kSignedFixed || kind == kUnsignedFixed;
  if (fixed && width == kEight) {
    ++types.fixed8;
  } else if (fixed && width == kSixteen) {
    ++types.fixed16;
  } else if (kind == kFloat) {
    ++types.floats;
  } else {
    ++types.others;
  }
}

bool is_conversion(const std::string& op) {
  for (const std::string_view conversion : kConversions) {
    if (op == conversion) return true;
  }
  return false;
}

}  // namespace

NodeTypes& NodeTypes::operator+=(const NodeTypes& more) noexcept {
  fixed8 += more.fixed8;
  fixed16 += more.fixed16;
  floats += more.floats;
  others += more.others;
  return *this;
}

std::optional<NodeTypes> node_types_of(const std::string& json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("graph")) return std::nullopt;
  const Json& graph = document["graph"];
  if (!graph.is_object() || !graph.contains("tensors") || !graph.contains("nodes")) return std::nullopt;
  const Json& tensors = graph["tensors"];
  const Json& nodes = graph["nodes"];
  if (!tensors.is_object() || !nodes.is_object()) return std::nullopt;
  NodeTypes types;
  for (const auto& [name, node] : nodes.items()) {
    if (!node.is_object() || !node.contains("type") || !node["type"].is_string()) return std::nullopt;
    if (is_conversion(node["type"].get<std::string>())) continue;
    if (!node.contains("output_names") || !node["output_names"].is_array() || node["output_names"].empty()) return std::nullopt;
    const auto output = tensors.find(node["output_names"][0].is_string() ? node["output_names"][0].get<std::string>() : "");
    if (output == tensors.end() || !output->contains("data_type") || !(*output)["data_type"].is_number_unsigned())
      return std::nullopt;
    count(types, (*output)["data_type"].get<unsigned>());
  }
  return types;
}

std::optional<NodeTypes> node_types_in(const std::string& folder) {
  std::optional<NodeTypes> all;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().string().ends_with(kNotAGraph)) continue;
    std::ifstream file(it->path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::optional<NodeTypes> one = node_types_of(text);
    if (!one) return std::nullopt;
    if (!all) all.emplace();
    *all += *one;
  }
  return all;
}

std::string to_line(const NodeTypes& types) {
  return "fixed8 " + std::to_string(types.fixed8) + " fixed16 " + std::to_string(types.fixed16) + " floats " +
         std::to_string(types.floats) + " others " + std::to_string(types.others) + "\n";
}

std::optional<NodeTypes> from_line(std::string_view line) {
  NodeTypes types;
  const std::string text(line.substr(0, 200));
  // NOLINTNEXTLINE(bugprone-unchecked-string-to-number-conversion): what is read must give the same line again
  if (std::sscanf(text.c_str(), "fixed8 %d fixed16 %d floats %d others %d", &types.fixed8, &types.fixed16, &types.floats,
                  &types.others) != 4 ||
      to_line(types) != line)
    return std::nullopt;
  return types;
}

}  // namespace axle::qnn
