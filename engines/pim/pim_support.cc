#include "pim_support.h"

#include <algorithm>
#include <array>
#include <string>

namespace axle::pim {
namespace {

constexpr int32_t kFloat32 = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kString = 8;
constexpr int32_t kMostAxes = 8;

struct OpRow {
  std::string_view name;
  Kind kind;
  int64_t first_opset;
  uint32_t fewest_inputs, most_inputs;
};
constexpr std::array<OpRow, 9> kOps = {{{"MatMul", Kind::kProduct, 1, 2, 2},
                                        {"Gemm", Kind::kProduct, 7, 2, 3},
                                        {"MatMulInteger", Kind::kIntegerProduct, 10, 2, 4},
                                        {"Gather", Kind::kLookup, 1, 2, 2},
                                        {"Add", Kind::kAdd, 7, 2, 2},
                                        {"Sub", Kind::kSub, 7, 2, 2},
                                        {"Mul", Kind::kMul, 7, 2, 2},
                                        {"Relu", Kind::kRelu, 6, 1, 1},
                                        {"Identity", Kind::kIdentity, 1, 1, 1}}};

constexpr const char* kTakes = "it takes products of vectors with weights, table lookups, Add, Sub, Mul and Relu";

const OpRow* find_op(std::string_view name) {
  const auto* found = std::ranges::find(kOps, name, &OpRow::name);
  return found == kOps.end() ? nullptr : found;
}

kit::Verdict no(std::string code, std::string text) { return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1}; }

std::string name_of(int32_t dtype) { return std::string(kit::data_type_name(dtype)); }

// -1 when an axis or the rank is open.
int64_t elements(std::span<const axle_dim_t> shape) {
  int64_t count = 1;
  for (const axle_dim_t& dim : shape) {
    if (dim.size < 0 || __builtin_mul_overflow(count, dim.size, &count)) return -1;
  }
  return count;
}

bool present(const kit::Node& node, uint32_t index) { return index < node.input_count() && !node.input(index).absent(); }

// A single number, or one for each of `columns` results.
bool is_scalar_or_row(const kit::Value& value, int64_t columns) {
  const int64_t count = value.rank_known() ? elements(value.shape()) : -1;
  return count == 1 || (count == columns && value.shape().back().size == columns);
}

std::optional<kit::Verdict> refuse_gemm(const kit::Node& node, int64_t columns) {
  if (node.int_or("transA", 0) != 0) return no("ATTRIBUTE", "transA = 1: vectors have to lie in rows");
  if (!present(node, 2)) return std::nullopt;
  if (node.input(2).dtype != kFloat32) return no("DTYPE", "C is " + name_of(node.input(2).dtype) + ", wanted f32");
  if (is_scalar_or_row(node.input(2), columns)) return std::nullopt;
  return no("SHAPE", "C has to be one number, or one for each column");
}

std::optional<kit::Verdict> refuse_zero_points(const kit::Node& node, int64_t columns) {
  for (const uint32_t i : {2u, 3u}) {
    if (present(node, i) && node.input(i).dtype != node.input(i - 2).dtype)
      return no("DTYPE", "a zero point is " + name_of(node.input(i).dtype) + ", not of its operand's type");
  }
  if (present(node, 2) && !(node.input(2).rank_known() && elements(node.input(2).shape()) == 1))
    return no("SHAPE", "a zero point for each row of A: one for all of them is taken");
  if (!present(node, 3)) return std::nullopt;
  const kit::Value zero = node.input(3);
  if (zero.is_weight == 0) return no("OTHER", "B's zero points are computed: they have to stay in banks with B");
  return is_scalar_or_row(zero, columns)
             ? std::nullopt
             : std::optional(no("SHAPE", "B's zero point has to be one number, or one for each column"));
}

}  // namespace

void check_precision(std::string_view precision) {
  if (precision == "f32" || precision == "int8") return;
  throw kit::unimplemented("pim has no precision '" + std::string(precision) + "'").hint("use f32 or int8");
}

void Judge::judge_product(const kit::Node& node, Judged& judged) const {
  const bool integer = judged.kind == Kind::kIntegerProduct;
  const kit::Value a = node.input(0), b = node.input(1);
  const auto refuse = [&](std::string code, std::string text) { judged.refusal = no(std::move(code), std::move(text)); };
  if (!integer && integers_)
    return refuse("PRECISION",
                  "it is a product of " + name_of(a.dtype) + ", and nothing is quantised here: int8 takes MatMulInteger");
  for (const kit::Value& value : {a, b}) {
    const bool right = integer ? value.dtype == kInt8 || value.dtype == kUint8 : value.dtype == kFloat32;
    if (!right)
      return refuse("DTYPE", "an operand is " + name_of(value.dtype) + (integer ? ", wanted i8 or u8" : ", wanted f32"));
  }
  if (b.is_weight == 0)
    return refuse("OTHER",
                  "both operands are computed: only a weight stays in banks, and moving it there for one product costs more "
                  "than the product");
  if (b.rank != 2) return refuse("RANK", "the weight has " + std::to_string(b.rank) + " axes, wanted 2");
  const bool transposed_already = node.op_type() == "Gemm" && node.int_or("transB", 0) != 0;
  judged.weight_transposed = !transposed_already;
  judged.weight = {b.shape()[transposed_already ? 0 : 1].size, b.shape()[transposed_already ? 1 : 0].size, integer ? 1u : 4u};
  if (judged.weight.rows <= 0 || judged.weight.length <= 0) return refuse("SHAPE", "the weight holds nothing");
  if (!a.rank_known() || a.rank < 1) return refuse("DYNAMIC_SHAPE", "how many axes the other operand has is not known");
  judged.vectors = elements(a.shape().first(static_cast<size_t>(a.rank - 1)));
  if (judged.vectors < 0)
    return refuse("DYNAMIC_SHAPE",
                  "how many vectors it multiplies is open: fix that with [shapes] or samples, and execution.static_shape");
  if (judged.vectors > kMostVectors)
    return refuse("SHAPE", "a product of " + std::to_string(judged.vectors) + " vectors reuses the weight: up to " +
                               std::to_string(kMostVectors) + " are taken, one after the other");
  const uint64_t vector_bytes = words(judged.weight.row_bytes());
  if (vector_bytes > kExchangeBytes / 2)
    return refuse("MEMORY", "a vector of " + std::to_string(vector_bytes) + " bytes does not fit beside the weights of a bank");
  if (node.op_type() == "Gemm") judged.refusal = refuse_gemm(node, judged.weight.rows);
  if (integer) judged.refusal = refuse_zero_points(node, judged.weight.rows);
}

void Judge::judge_lookup(const kit::Node& node, Judged& judged) const {
  const kit::Value table = node.input(0), rows = node.input(1);
  const auto refuse = [&](std::string code, std::string text) { judged.refusal = no(std::move(code), std::move(text)); };
  if (table.is_weight == 0) return refuse("OTHER", "the table is computed: only a weight stays in banks");
  if (table.rank < 1) return refuse("RANK", "the table is a single number");
  const int64_t axis = node.int_or("axis", 0);
  if (axis != 0 && axis != -table.rank)
    return refuse("ATTRIBUTE", "axis " + std::to_string(axis) + ": a table is cut by its rows, so only axis 0 is looked up");
  if (table.dtype == kString || kit::data_type_bits(table.dtype) % 8 != 0 || kit::data_type_bits(table.dtype) == 0)
    return refuse("DTYPE", "a table of " + name_of(table.dtype) + " has no rows of whole bytes");
  if (rows.dtype != kInt32 && rows.dtype != kInt64)
    return refuse("DTYPE", "row numbers are " + name_of(rows.dtype) + ", wanted i32 or i64");
  if (!rows.rank_known() || rows.rank + table.rank - 1 > kMostAxes)
    return refuse("RANK", "more than 8 axes, or not known how many");
  judged.weight = {table.shape()[0].size, elements(table.shape().subspan(1)),
                   static_cast<uint64_t>(kit::data_type_bits(table.dtype)) / 8};
  if (judged.weight.rows <= 0 || judged.weight.length <= 0) refuse("SHAPE", "the table holds nothing");
}

void Judge::judge_elementwise(const kit::Node& node, Judged& judged) const {
  const int32_t dtype = node.input(0).dtype;
  for (uint32_t i = 0; i < node.input_count(); ++i) {
    const kit::Value value = node.input(i);
    const bool right = value.dtype == kFloat32 || (value.dtype == kInt32 && judged.kind != Kind::kRelu);
    if (!right || value.dtype != dtype) {
      judged.refusal = no("DTYPE", "input " + std::to_string(i) + " is " + name_of(value.dtype) + ", wanted f32" +
                                       (judged.kind == Kind::kRelu ? "" : " or i32"));
      return;
    }
    if (value.rank > kMostAxes) judged.refusal = no("RANK", "more than 8 axes");
  }
}

// Where its weight lies. What one node takes is not there for the next.
void Judge::place(Judged& judged) {
  const bool lookup = judged.kind == Kind::kLookup;
  const Cycles cycles = judged.kind == Kind::kIntegerProduct ? byte_cycles() : float_cycles();
  const int64_t wanted =
      lookup ? geometry_.banks
             : product_banks(geometry_, judged.weight.rows, judged.weight.length, judged.weight.element_bytes, cycles);
  const Cut cut = cut_rows(geometry_, judged.weight.rows, judged.weight.row_bytes(), wanted, used_bytes_);
  if (!cut.fits()) {
    judged.refusal = no("MEMORY", (lookup ? "its table does not fit: " : "its weight does not fit: ") + cut.refusal);
    return;
  }
  judged.layout = cut.layout;
  used_bytes_ += cut.layout.bank_bytes();
}

Judged Judge::judge(const kit::Node& node) {
  Judged judged;
  const auto refuse = [&](std::string code, std::string text) {
    judged.refusal = no(std::move(code), std::move(text));
    return judged;
  };
  if (!node.domain().empty()) return refuse("DOMAIN", "only operators of ai.onnx");
  const OpRow* row = find_op(node.op_type());
  if (row == nullptr) return refuse("UNSUPPORTED_OP", kTakes);
  judged.kind = row->kind;
  if (node.opset() < row->first_opset)
    return refuse("OPSET",
                  std::string(row->name) + " before opset " + std::to_string(row->first_opset) + " is another operator");
  if (node.input_count() < row->fewest_inputs || node.input_count() > row->most_inputs || node.output_count() != 1)
    return refuse("OTHER", "wrong number of inputs or outputs");
  for (uint32_t i = 0; i < row->fewest_inputs; ++i) {
    if (node.input(i).absent()) return refuse("OTHER", "an input is left out");
  }
  if (row->kind == Kind::kLookup)
    judge_lookup(node, judged);
  else if (is_elementwise(row->kind))
    judge_elementwise(node, judged);
  else
    judge_product(node, judged);
  if (!judged.refusal && !is_elementwise(row->kind)) place(judged);
  return judged;
}

// What is refused for its operator is said once; models have thousands of nodes.
kit::Support answer_support(const Geometry& geometry, const kit::SupportArgs& args) {
  check_precision(args.precision);
  kit::Support support;
  support.graph.kind = kit::VerdictKind::kYes;
  support.otherwise = no("UNSUPPORTED_OP", kTakes);
  if (args.graph.format() != "onnx") {
    support.graph = support.otherwise = no("FORMAT", "pim reads only onnx");
    return support;
  }
  Judge judge(geometry, args.precision);
  bool all = true;
  for (const kit::Node& node : args.graph.nodes()) {
    args.cancel.check();
    Judged judged = judge.judge(node);
    if (judged.refusal && all) support.graph = *judged.refusal;
    all = all && !judged.refusal;
    if (judged.refusal && judged.refusal->code == "UNSUPPORTED_OP") continue;
    support.nodes.push_back(
        {node.index(), judged.refusal ? std::move(*judged.refusal) : kit::Verdict{kit::VerdictKind::kYes, "", "", -1}});
  }
  if (all) support.otherwise = {kit::VerdictKind::kYes, "", "", -1};
  return support;
}

}  // namespace axle::pim
