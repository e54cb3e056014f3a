#include <fmt/core.h>

#include <array>
#include <charconv>

#include "axle/policy.h"
#include "base/json.h"
#include "base/text.h"
#include "policy/policy_values.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

// The non-empty words of a comma-separated list.
template <typename F>
Result<std::vector<std::string>> parse_words(std::string_view value, F check) {
  std::vector<std::string> words;
  for (const std::string_view piece : split(value, ',')) {
    const std::string word(trim(piece));
    if (word.empty()) return invalid_argument_error(fmt::format("\"{}\" has an empty item", printable(value)));
    AXLE_RETURN_IF_ERROR(check(word));
    words.push_back(word);
  }
  return words;
}

Status set_device(Policy& policy, std::string_view value) {
  AXLE_ASSIGN_OR_RETURN(policy.execution.targets, parse_words(value, check_selector_text));
  return ok_status();
}

Status set_engine(Policy& policy, std::string_view value) {
  AXLE_ASSIGN_OR_RETURN(policy.engines.allow, parse_words(value, check_engine_name));
  return ok_status();
}

Status set_precision(Policy& policy, std::string_view value) {
  AXLE_ASSIGN_OR_RETURN(const auto names, parse_words(value, check_precision_name));
  policy.execution.precisions = normal_precisions(names);
  return ok_status();
}

Status set_threads(Policy& policy, std::string_view value) {
  int32_t threads = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), threads);
  if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || threads < 0 || threads > kMaxPolicyThreads) {
    return invalid_argument_error(fmt::format("\"{}\" is no number of threads", printable(value, 64)))
        .with_hint(fmt::format("a number from 1 to {}; 0 = the planner's choice", kMaxPolicyThreads));
  }
  policy.execution.threads = threads;
  return ok_status();
}

Status set_objective(Policy& policy, std::string_view value) {
  const auto objective = parse_objective(value);
  if (!objective)
    return invalid_argument_error(fmt::format("\"{}\" is no objective", printable(value, 64)))
        .with_hint(fmt::format("one of {}", kObjectiveWords));
  policy.objective = *objective;
  return ok_status();
}

Status set_allow_fallback(Policy& policy, std::string_view value) {
  AXLE_ASSIGN_OR_RETURN(policy.fallback.resource, parse_words(value, check_selector_text));
  return ok_status();
}

Status set_kernel(Policy& policy, std::string_view value) {
  const size_t equals = value.find('=');
  if (equals == std::string_view::npos)
    return invalid_argument_error(fmt::format("\"{}\" is not OP=NAME", printable(value)))
        .with_hint("for example matmul=onednn");
  const std::string op(value.substr(0, equals)), name(value.substr(equals + 1));
  AXLE_RETURN_IF_ERROR(check_kernel_word(op));
  AXLE_RETURN_IF_ERROR(check_kernel_word(name));
  policy.kernels[op] = KernelChoice{name, {}, {}};
  return ok_status();
}

Status set_tuning_budget(Policy& policy, std::string_view value) {
  AXLE_ASSIGN_OR_RETURN(policy.tuning.budget_ns, parse_duration_ns(value));
  return ok_status();
}

struct Flag {
  std::string_view name;
  Status (*set)(Policy&, std::string_view);
};

constexpr std::array<Flag, 8> kFlags = {{
    {"device", set_device},
    {"engine", set_engine},
    {"precision", set_precision},
    {"threads", set_threads},
    {"objective", set_objective},
    {"allow-fallback", set_allow_fallback},
    {"kernel", set_kernel},
    {"tuning-budget", set_tuning_budget},
}};

}  // namespace

Status apply_policy_flag(Policy& policy, std::string_view flag, std::string_view value) {
  const std::string_view name = flag.starts_with("--") ? flag.substr(2) : flag;
  for (const Flag& known : kFlags) {
    if (known.name == name) return known.set(policy, value).with_context(fmt::format("--{}", name));
  }
  std::vector<std::string> names;
  for (const Flag& known : kFlags) names.emplace_back(known.name);
  return invalid_argument_error(fmt::format("there is no policy flag --{}", printable(name, 64)))
      .with_hint("known: --" + join(names, ", --"));
}

}  // namespace axle
