// What a graph asks of the values of its inputs, read off the nodes that consume them: index bounds, sizes, lengths, masks,
// constants they are compared with.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "axle/model.h"
#include "model/graph.h"

namespace axle {

// One column of what must not repeat: element number t of it holds (t / divide) % modulo.
struct IndexColumn {
  int64_t divide = 1;
  int64_t modulo = 1;
};

struct InputDemand {
  enum class Kind : uint8_t {
    kNone,     // anything
    kReal,     // numbers in [low, high]
    kWhole,    // whole numbers in [low, high], also where the element type is floating
    kIndices,  // the same, and no two alike: where rows are written, the order of writing must not matter
    kGiven,    // exactly `values`; the last stands for all beyond them
  };
  Kind kind = Kind::kNone;
  double low = 0;
  double high = 1;
  std::vector<IndexColumn> columns;  // kIndices: of tuples of so many elements
  std::vector<int64_t> values;       // kGiven
};

class InputDemands {
 public:
  // `graph` at the sizes that the inputs will have, its bodies laid open (model/flat_bodies.h); it must outlive this. `usual_size`: of what only inputs decide the size of.
  InputDemands(const Graph& graph, int64_t usual_size);
  InputDemand of(const IoSpec& spec, const Shape& shape) const;

 private:
  using Consumers = std::vector<std::vector<std::pair<NodeId, size_t>>>;
  struct Walk;
  void walk(ValueId value, std::pair<int64_t, int64_t> added, bool in_order, int depth, Walk& state) const;
  InputDemand mask_demand(const IoSpec& spec, ValueId input, const InputDemand& indices) const;

  const Graph& graph_;
  int64_t usual_size_;
  Consumers consumers_;
};

// What one node asks of the elements that reach its operand. kNone: nothing.
struct OperandDemand {
  InputDemand demand;
  bool weak = false;  // a constant that it is compared with: any other demand goes before
};
OperandDemand operand_demand(const Graph& graph, const Node& node, size_t operand, int64_t usual_size);

}  // namespace axle
