// What the chosen plan is worth against every other that the policy admits: all of them are loaded and take turns. Prints JSON.
//   axle_benchmark_regret MODEL INPUTS.flat [--policy FILE.toml] [--rounds N] [--block-ms N] [--limit-s N] [--core-speeds FILE]
// Evidence decides as in any run, so `axle tune` comes first. Who is 3 times behind after two rounds is not measured further.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "axle/session.h"
#include "axle_calls.h"
#include "flat_tensor.h"
#include "paired.h"
#include "planner/mixed_plan.h"
#include "planner/planner.h"
#include "run_main.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/measuring/contender.h"

namespace axle_benchmarks {
namespace {

using Json = nlohmann::json;

constexpr double kHopeless = 3;

struct Arguments {
  std::string model, inputs, policy;
  PairedOptions paired;
};

Arguments parse(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0) throw std::runtime_error("usage: MODEL INPUTS.flat [options]");
  Arguments arguments{argv[1], argv[2], "", {}};
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--policy")
      arguments.policy = value;
    else if (!paired_option(arguments.paired, word, value))
      throw std::runtime_error(word + " is not an option");
  }
  return arguments;
}

// Every plan that the policy admits, loaded; the chosen one first. Failures are told, not raced.
std::vector<axle::Contender> load_all(axle::Runtime& runtime, const axle::Model& model, const axle::PlanRequest& request,
                                      const std::string& chosen, Json& failed) {
  std::vector<axle::Contender> loaded;
  for (axle::Plan& plan : value_of(measurable_plans(value_of(collect_planner_input(runtime, model, request))))) {
    axle::Contender contender;
    contender.name = axle::plan_name(plan.partitions);
    contender.plan = std::move(plan);
    load_contender(runtime, model, request.samples, axle::CancelToken::none(), contender);
    if (contender.failure.ok())
      loaded.push_back(std::move(contender));
    else
      failed.push_back({{"candidate", contender.name}, {"reason", contender.failure.message()}});
  }
  const auto found = std::find_if(loaded.begin(), loaded.end(), [&](const auto& c) { return c.name == chosen; });
  if (found == loaded.end()) throw std::runtime_error("the chosen plan " + chosen + " is not among those that can be measured");
  std::iter_swap(loaded.begin(), found);
  return loaded;
}

std::vector<Contender> turns_of(std::vector<axle::Contender>& loaded) {
  std::vector<Contender> turns;
  for (axle::Contender& each : loaded) {
    const auto call = [&each] {
      if (const axle::Status status = each.binding->run(); !status.ok()) [[unlikely]]
        throw std::runtime_error(each.name + ": " + status.to_string());
    };
    turns.push_back({each.name, call, {}});
  }
  return turns;
}

// The fastest by the median of its blocks, against the chosen one side by side.
Json compare(const std::vector<Contender>& turns) {
  const auto faster = [](const Contender& a, const Contender& b) {
    return axle::median(a.block_ns) < axle::median(b.block_ns);
  };
  const Contender& best = *std::min_element(turns.begin(), turns.end(), faster);
  const axle::RatioInterval ratio = axle::paired_ratio(turns.front().block_ns, best.block_ns);
  const bool same = &best == &turns.front();
  return {{"best", best.name},
          {"best_ns", axle::median(best.block_ns)},
          {"chosen_ns", axle::median(turns.front().block_ns)},
          {"ratio", same ? 1.0 : ratio.ratio},
          {"interval", {same ? 1.0 : ratio.low, same ? 1.0 : ratio.high}}};
}

int run(int argc, char** argv) {
  Arguments arguments = parse(argc, argv);
  std::vector<FlatTensor> inputs = read_flat(arguments.inputs);
  auto runtime = value_of(axle::Runtime::create());
  const axle::Model model = value_of(axle::open_model(*runtime, arguments.model));
  axle::PlanRequest request;
  if (!arguments.policy.empty()) request.policy = value_of(axle::load_policy(arguments.policy));
  request.samples = feeds_of(inputs);
  const std::string chosen = axle::plan_name(value_of(axle::make_plan(*runtime, model, request)).plan.partitions);
  Json failed = Json::array();
  std::vector<axle::Contender> loaded = load_all(*runtime, model, request, chosen, failed);
  std::vector<Contender> turns = turns_of(loaded);
  const size_t all = turns.size();

  const std::vector<double> looked = look_ns(turns, arguments.paired);
  const double least = *std::min_element(looked.begin(), looked.end());
  std::vector<Contender> racing;
  for (size_t i = 0; i < all; ++i) {
    if (i == 0 || looked[i] <= kHopeless * least) racing.push_back(std::move(turns[i]));
  }

  const PairedResult paired = run_paired(racing, arguments.paired);
  Json rows = Json::array();
  for (const Contender& each : racing) rows.push_back({{"candidate", each.name}, {"call_ns", axle::median(each.block_ns)}});
  Json document = compare(racing);
  document.update({{"chosen", chosen},
                   {"candidates", rows},
                   {"looked_at", all},
                   {"failed", failed},
                   {"rounds", paired.rounds},
                   {"disturbed_rounds", paired.disturbed},
                   {"noisy", paired.noisy}});
  std::puts(document.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
