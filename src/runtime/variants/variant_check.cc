#include "runtime/variants/variant_check.h"

#include <fmt/format.h>

#include "runtime/facts/model_facts.h"

namespace axle {
namespace {

Status check_same_io(const std::vector<IoSpec>& wanted, const std::vector<IoSpec>& got, const char* what) {
  const auto text = [](const IoSpec& spec) {
    return fmt::format("'{}' {}{}", spec.name, data_type_name(spec.dtype), format_shape(spec.shape));
  };
  for (size_t i = 0; i < wanted.size() || i < got.size(); ++i) {
    const bool there = i < wanted.size() && i < got.size();
    bool same = there && wanted[i].name == got[i].name && wanted[i].dtype == got[i].dtype &&
                (!wanted[i].rank_known || wanted[i].shape.size() == got[i].shape.size());
    for (size_t axis = 0; same && wanted[i].rank_known && axis < wanted[i].shape.size(); ++axis)
      same = !wanted[i].shape[axis].is_static() || wanted[i].shape[axis].size == got[i].shape[axis].size;
    if (!same)
      return internal_error(fmt::format("the copy's {} {} is {}, the model's {}", what, i,
                                        i < got.size() ? text(got[i]) : "missing",
                                        i < wanted.size() ? text(wanted[i]) : "none"));
  }
  return ok_status();
}

}  // namespace

Result<std::string> check_copy(const Model& model, std::string_view precision, bool quantised, const std::string& path) {
  ModelOptions options;
  options.format = ModelFormat::kOnnx;
  auto copy = Model::load(path, options);
  if (!copy) return std::move(copy).error().with_context("the copy cannot be read");
  if (copy->files().size() != 1) return internal_error("the copy is spread over several files");
  AXLE_RETURN_IF_ERROR(check_same_io(model.inputs(), copy->inputs(), "input"));
  AXLE_RETURN_IF_ERROR(check_same_io(model.outputs(), copy->outputs(), "output"));
  AXLE_ASSIGN_OR_RETURN(const ModelFacts facts, model_facts(*copy, {}));
  if (quantised ? !facts.quantised : facts.float_dtype != precision)
    return internal_error(
        fmt::format("nothing of the copy is {}: the model has no operators that can be converted, or the "
                    "converter did nothing",
                    precision));
  return copy->digest();
}

}  // namespace axle
