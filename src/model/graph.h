// Graph: a model as ONNX-shaped nodes and values, the view that planner, engines and explain share. Immutable once made,
// thread-safe. Values and nodes are addressed by dense indices; names are unique within each kind and never empty.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "axle/tensor.h"

namespace axle {

using ValueId = int32_t;  // index into Graph::values; -1 = an omitted optional input
using NodeId = int32_t;   // index into Graph::nodes

struct Value {
  std::string name;
  DataType dtype = DataType::kUndefined;
  bool is_tensor = true;  // false: a sequence, map or optional (dtype stays undefined); never cut a graph here
  bool rank_known = false;
  SymbolicShape shape;
  int32_t weight = -1;    // index into Graph::weights when this is an initialiser
  NodeId producer = -1;   // -1: graph input or weight
};

enum class AttributeKind : uint8_t { kOther, kInt, kFloat, kText, kInts, kFloats, kTexts, kTensor, kGraph };

struct Attribute {
  std::string name;
  AttributeKind kind = AttributeKind::kOther;
  std::vector<int64_t> ints;     // kInt: one; kTensor: the element of a one-element i64 tensor, else empty
  std::vector<float> floats;     // kFloat: one
  std::vector<std::string> texts;
};

struct Node {
  std::string name;      // unique; made up ("Conv_12") when the file has none
  std::string op_type;
  std::string domain;    // "" = ai.onnx
  int64_t opset = 0;     // version of `domain` that the model imports
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<Attribute> attributes;
  bool has_subgraph = false;
  std::vector<ValueId> captured;  // outer values its subgraphs use
  uint64_t flops = 0;  // multiply-adds count 2; 0 = unknown or none. Unknown axes count as 1 (said by flops_exact)
  uint64_t weight_bytes = 0;  // of its weights, each counted at its first consumer
  uint64_t activation_bytes = 0;  // inputs + outputs that are not weights
  bool cost_exact = false;  // every shape it depends on was static
  uint64_t body_flops = 0;  // of its subgraphs: the dearest branch of an If, one pass of a Loop or Scan; part of flops
  uint64_t body_weight_bytes = 0;  // of weights inside its subgraphs; part of weight_bytes
};

// The bytes of an initialiser. Kept alive by whoever holds the shared_ptr.
struct Weight {
  std::string name;
  DataType dtype = DataType::kUndefined;
  Shape shape;
  std::span<const std::byte> bytes;  // dense; may be unaligned (a mapping); empty for strings
  std::vector<std::string> texts;  // elements of a string tensor
  std::string path;  // file that holds the bytes; "" = inside the model file, or made in memory
  uint64_t file_offset = 0;
  bool in_model_file = false;  // dense in the model's own file at file_offset; never of a model that was read from bytes
  std::shared_ptr<const void> owner;
};

struct OnnxSource;  // model/onnx_source.h: the node protos behind a graph, for writing it back

struct Graph {
  std::string name;
  std::string format = "onnx";
  std::string path;  // "" when made in memory (extracted or built)
  std::string digest;  // "sha256:..." over the content, external data included
  int64_t ir_version = 0;
  std::map<std::string, int64_t> opsets;  // domain -> version
  std::vector<Value> values;
  std::vector<Node> nodes;  // in a topological order
  std::vector<std::shared_ptr<const Weight>> weights;
  std::vector<ValueId> inputs;  // true inputs: initialisers are not counted
  std::vector<ValueId> outputs;
  std::vector<std::string> custom_domains;  // used by nodes, neither "", ai.onnx.ml nor com.microsoft
  std::vector<std::string> issues;  // what is odd but not fatal; engines decide
  std::shared_ptr<const OnnxSource> source;  // null for formats that are handed over whole

  // Serialised ONNX ModelProto and the folder its external data is relative to ("" = all inline). Made on first use,
  // then shared while somebody holds it; thread-safe. Speaks of the sealed graph (model/graph_seal.h): a copy of a Graph
  // must be sealed anew before this is called. Null for formats that are handed over whole.
  struct OnnxBytes {
    std::string bytes;
    std::string folder;
  };
  std::function<Result<std::shared_ptr<const OnnxBytes>>()> onnx_bytes;
};

}  // namespace axle
