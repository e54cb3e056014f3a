#include "policy/policy_values.h"

#include <fmt/core.h>

#include <algorithm>

#include "axle/device.h"
#include "axle/drift.h"
#include "base/json.h"
#include "base/text.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

Status unknown_word(const char* what, std::string_view word, const std::vector<std::string>& known) {
  const std::string near = nearest_word(word, known);
  return invalid_argument_error(fmt::format("\"{}\" is no {}", printable(word, 64), what))
      .with_hint(near.empty() ? fmt::format("known: {}", join(known, ", ")) : fmt::format("did you mean \"{}\"?", near));
}

}  // namespace

Status check_selector_text(std::string_view text) { return parse_selector(text).status(); }

Status check_precision_name(std::string_view name) {
  if (normal_precision(name)) return ok_status();
  return invalid_argument_error(fmt::format("\"{}\" is no precision", printable(name, 64)))
      .with_hint(fmt::format("one of {}; also fp32, fp16, float16 and the like", kPrecisionWords));
}

Status check_engine_name(std::string_view name) {
  const bool plain = !name.empty() && name.size() <= 32 && name.front() >= 'a' && name.front() <= 'z' &&
                     std::all_of(name.begin(), name.end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (plain) return ok_status();
  return invalid_argument_error(fmt::format("\"{}\" is no engine name", printable(name, 64)))
      .with_hint("engine names are lower-case letters, digits and underscores: onnxruntime, openvino");
}

Status check_kernel_word(std::string_view word) {
  const bool plain = !word.empty() && word.size() <= 128 &&
                     std::all_of(word.begin(), word.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '='; });
  return plain ? ok_status() : invalid_argument_error(fmt::format("\"{}\" is no name of an op or kernel", printable(word, 64)));
}

Status check_waived_field(std::string_view field) {
  const std::vector<std::string>& fields = drift_fields();
  if (std::find(fields.begin(), fields.end(), field) != fields.end()) return ok_status();
  return unknown_word("field of a lock", field, fields);
}

std::vector<std::string> normal_precisions(const std::vector<std::string>& names) {
  std::vector<std::string> normal;
  for (const std::string& name : names) normal.emplace_back(normal_precision(name).value_or(name));
  return normal;
}

}  // namespace axle
