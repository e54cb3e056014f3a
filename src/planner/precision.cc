#include "planner/precision.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

namespace axle {
namespace {

// Significant bits, roughly; more = wider.
int width(std::string_view precision) {
  if (precision == "f64") return 53;
  if (precision == "f32") return 24;
  if (precision == "tf32" || precision == "f16") return 11;
  if (precision == "bf16" || precision == "int8") return 8;
  if (precision == "f8e4m3fn" || precision == "int4") return 4;
  if (precision == "f8e5m2") return 3;
  return 0;
}

}  // namespace

std::string own_precision(const ModelFacts& model) { return model.float_dtype.empty() ? "f32" : model.float_dtype; }

bool keeps_precision(const ModelFacts& model, std::string_view precision) {
  const std::string own = own_precision(model);
  if (precision == own) return true;
  if (precision == "int8") return model.quantised;
  // f16 and bf16 do not hold each other's values, and only f32 and f64 hold everything narrower.
  return (precision == "f32" || precision == "f64") && width(precision) > width(own);
}

int precision_distance(const ModelFacts& model, std::string_view precision) {
  const std::string own = own_precision(model);
  if (precision == own) return 0;
  return keeps_precision(model, precision) ? 1 : 2 + std::abs(width(own) - width(precision));
}

bool has_instructions(const Machine& machine, std::string_view precision) {
  static const std::map<std::string_view, std::vector<std::string_view>> kNeeds = {
      {"bf16", {"amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16", "smeb16f32", "svebf16"}},
      {"f16", {"amx_fp16", "asimdhp", "avx512_fp16", "avx_ne_convert", "fphp"}}};
  const auto needs = kNeeds.find(precision);
  if (needs == kNeeds.end() || machine.isa.empty()) return true;
  return std::ranges::any_of(
      needs->second, [&](std::string_view feature) { return std::ranges::find(machine.isa, feature) != machine.isa.end(); });
}

int precision_bits(std::string_view precision) {
  if (precision == "f64") return 64;
  if (precision == "f16" || precision == "bf16") return 16;
  if (precision == "int8" || precision.starts_with("f8")) return 8;
  if (precision == "int4") return 4;
  return 32;
}

}  // namespace axle
