#include "node_types.h"

#include <gtest/gtest.h>

namespace axle::qnn {
namespace {

// Trimmed from a description that the provider wrote.
constexpr const char* kGraph = R"({"model.cpp": "N/A", "graph": {
  "tensors": {
    "x": {"id": 1, "type": 0, "data_type": 562, "dims": [1, 4]},
    "xq": {"id": 2, "type": 3, "data_type": 1032, "dims": [1, 4]},
    "h": {"id": 3, "type": 3, "data_type": 1032, "dims": [1, 2]},
    "w": {"id": 4, "type": 4, "data_type": 776, "dims": [4, 2]},
    "a": {"id": 5, "type": 3, "data_type": 1046, "dims": [1, 2]},
    "i": {"id": 6, "type": 3, "data_type": 50, "dims": [1]},
    "y": {"id": 7, "type": 1, "data_type": 562, "dims": [1, 2]}},
  "nodes": {
    "q": {"package": "qti.aisw", "type": "Quantize", "input_names": ["x"], "output_names": ["xq"]},
    "mul": {"package": "qti.aisw", "type": "MatMul", "input_names": ["xq", "w"], "output_names": ["h"]},
    "add": {"package": "qti.aisw", "type": "ElementWiseAdd", "input_names": ["h", "h"], "output_names": ["a"]},
    "arg": {"package": "qti.aisw", "type": "Argmax", "input_names": ["a"], "output_names": ["i"]},
    "relu": {"package": "qti.aisw", "type": "Relu", "input_names": ["a"], "output_names": ["y"]}}}})";

TEST(NodeTypes, CountsWhatComputesByTheTypeOfItsOutput) {
  const auto types = node_types_of(kGraph);
  ASSERT_TRUE(types.has_value());
  EXPECT_EQ(types->fixed8, 1);
  EXPECT_EQ(types->fixed16, 1);
  EXPECT_EQ(types->floats, 1);
  EXPECT_EQ(types->others, 1);
  EXPECT_TRUE(types->integers());
}

TEST(NodeTypes, SaysNothingOfWhatItCannotRead) {
  for (const char* text :
       {"", "{", "[]", R"({"graph": 3})", R"({"graph": {"tensors": {}, "nodes": {"a": {"type": "Relu"}}}})",
        R"({"graph": {"tensors": {}, "nodes": {"a": {"type": "Relu", "output_names": ["y"]}}}})",
        R"({"graph": {"tensors": {"y": {"data_type": "f"}}, "nodes": {"a": {"type": "Relu", "output_names": ["y"]}}}})"})
    EXPECT_FALSE(node_types_of(text).has_value()) << text;
  EXPECT_FALSE(node_types_in("/no/such/folder").has_value());
}

TEST(NodeTypes, GoThroughALine) {
  const NodeTypes types{3, 0, 12, 1};
  const auto back = from_line(to_line(types));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(to_line(*back), to_line(types));
  for (const char* text : {"", "unknown\n", "fixed8 1 fixed16 2 floats 3\n", "fixed8 1 fixed16 2 floats 3 others 4 and more\n"})
    EXPECT_FALSE(from_line(text).has_value()) << text;
}

}  // namespace
}  // namespace axle::qnn
