// One model with an input of some meaning, and what is said of its generated values.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <onnx/defs/parser.h>

#include "axle/model.h"
#include "axle/tune.h"
#include "tensor/convert.h"

namespace axle::testing {

using Numbers = ::testing::Matcher<const std::vector<double>&>;

struct GeneratedCase {
  const char* name;
  std::string graph;  // "g (...) => (...) { ... }"
  const char* input;  // the one that is looked at
  Numbers values;
  bool onnxruntime = true;  // has kernels for it
  int opset = 18;
};
inline std::ostream& operator<<(std::ostream& out, const GeneratedCase& one) { return out << one.name; }

inline Result<Model> model_of(const GeneratedCase& one) {
  const std::string text = "<ir_version: 10, opset_import: [\"\": " + std::to_string(one.opset) +
                           ", \"com.microsoft\": 1, \"org.pytorch.aten\": 1]> " + one.graph;
  onnx::ModelProto proto;
  onnx::OnnxParser parser(text.c_str());
  const auto parsed = parser.Parse(proto);
  if (!parsed.IsOK()) return invalid_argument_error(std::string(one.name) + ": " + parsed.ErrorMessage());
  const std::string bytes = proto.SerializeAsString();
  return Model::from_bytes(std::as_bytes(std::span(bytes)));
}

inline Result<std::vector<double>> generated_numbers(const GeneratedCase& one, uint64_t seed) {
  AXLE_ASSIGN_OR_RETURN(const Model model, model_of(one));
  GenerateOptions options;
  options.seed = seed;
  AXLE_ASSIGN_OR_RETURN(const auto inputs, generate_inputs(model, options));
  for (const NamedTensor& input : inputs) {
    if (input.name != one.input) continue;
    std::vector<double> numbers(static_cast<size_t>(input.tensor.element_count()));
    AXLE_RETURN_IF_ERROR(read_as_doubles(input.tensor, 0, numbers));
    return numbers;
  }
  return not_found_error(std::string(one.name) + " has no input " + one.input);
}

// Whole numbers of [low, high].
inline Numbers within(double low, double high) {
  return ::testing::Each(::testing::AllOf(::testing::Ge(low), ::testing::Le(high),
                                          ::testing::Truly([](double v) { return v == static_cast<int64_t>(v); })));
}
inline Numbers all(double value) { return ::testing::Each(value); }
inline Numbers exactly(std::vector<double> values) { return ::testing::ElementsAreArray(std::move(values)); }
// Tuples of so many, no two alike, each column within its size.
inline Numbers distinct(std::vector<double> sizes) {
  return ::testing::Truly([sizes](const std::vector<double>& values) {
    std::set<std::vector<double>> seen;
    for (size_t at = 0; at + sizes.size() <= values.size(); at += sizes.size()) {
      const std::vector<double> tuple(values.begin() + static_cast<ptrdiff_t>(at),
                                      values.begin() + static_cast<ptrdiff_t>(at + sizes.size()));
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (tuple[i] < 0 || tuple[i] >= sizes[i]) return false;
      }
      if (!seen.insert(tuple).second) return false;
    }
    return !seen.empty();
  });
}
// Of a matrix of that width: no column holds an index twice, and none is out of bounds.
inline Numbers distinct_in_columns(size_t width, double size) {
  return ::testing::Truly([width, size](const std::vector<double>& values) {
    for (size_t column = 0; column < width; ++column) {
      std::set<double> seen;
      for (size_t at = column; at < values.size(); at += width) {
        if (values[at] < 0 || values[at] >= size || !seen.insert(values[at]).second) return false;
      }
    }
    return !values.empty();
  });
}

}  // namespace axle::testing
