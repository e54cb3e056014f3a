// Copies of a model take seconds to minutes: none is made that no candidate could run.
#include <algorithm>
#include <array>
#include <string_view>

#include "planner/planner.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/variants/variants.h"

namespace axle {
namespace {

// A candidate that has only this against it waits for a copy.
constexpr std::array<std::string_view, 2> kWaiting = {"NOT_PREPARED", "CONVERSION"};

bool waits(std::string_view code) { return std::ranges::find(kWaiting, code) != kWaiting.end(); }

bool any_waits(const Result<PlannerOutput>& planned) {
  if (planned)
    return std::ranges::any_of(planned->plan.decisions, [](const Decision& decision) { return waits(decision.code); });
  const auto& details = planned.error().details();
  return std::ranges::any_of(details, [](const auto& detail) {
    return detail.first == "decisions" && std::ranges::any_of(kWaiting, [&](std::string_view code) {
             return detail.second.find("\"" + std::string(code) + "\"") != std::string::npos;
           });
  });
}

}  // namespace

Status prepare_useful_variants(Runtime& runtime, const Model& model, const PlanRequest& request) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<VariantFacts> rows, collect_variants(runtime, model, request));
  if (std::ranges::none_of(rows, [](const VariantFacts& row) { return waits(row.code); })) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const PlannerInput input, collect_planner_input(runtime, model, request));
  return any_waits(make_plan(input)) ? prepare_variants(runtime, model, request) : ok_status();
}

}  // namespace axle
