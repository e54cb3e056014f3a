// Which nodes the modelled device takes, and why it takes no other: products of vectors and table lookups whose weights stay in
// banks, and additions, differences, products and Relu element by element.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "axle/engine_kit.h"
#include "bank_model.h"

namespace axle::pim {

// A product of more rows than this is a matrix product, which reuses weights: what banks beside slow processors are for is the
// opposite. Up to here it is done as that many vectors, one after the other.
inline constexpr int64_t kMostVectors = 16;

enum class Kind : uint8_t { kProduct, kIntegerProduct, kLookup, kAdd, kSub, kMul, kRelu, kIdentity };
inline bool is_elementwise(Kind kind) { return kind >= Kind::kAdd; }

// What lies in banks of a node.
struct Matrix {
  int64_t rows = 0;  // each gives one result, or is one row of a table
  int64_t length = 0;  // numbers in a row
  uint64_t element_bytes = 0;
  uint64_t row_bytes() const { return static_cast<uint64_t>(length) * element_bytes; }
};

// A node as this engine sees it.
struct Judged {
  Kind kind = Kind::kIdentity;
  Matrix weight;  // of products and lookups
  bool weight_transposed = false;  // it is stored as [length, rows]: columns become rows in banks
  int64_t vectors = 1;  // of products
  Layout layout;
  std::optional<kit::Verdict> refusal;
};

// Memory of the banks is handed out node by node, in graph order.
class Judge {
 public:
  Judge(const Geometry& geometry, std::string_view precision) : geometry_(geometry), integers_(precision == "int8") {}
  // With a layout where it takes the node; what that needs is then taken.
  Judged judge(const kit::Node& node);
  uint64_t used_bytes() const noexcept { return used_bytes_; }

 private:
  void judge_product(const kit::Node& node, Judged& judged) const;
  void judge_lookup(const kit::Node& node, Judged& judged) const;
  void judge_elementwise(const kit::Node& node, Judged& judged) const;
  void place(Judged& judged);

  const Geometry& geometry_;
  bool integers_;
  uint64_t used_bytes_ = 0;
};

// The precisions it offers; throws UNIMPLEMENTED for another one.
void check_precision(std::string_view precision);

kit::Support answer_support(const Geometry& geometry, const kit::SupportArgs& args);

}  // namespace axle::pim
