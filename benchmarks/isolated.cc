// A real model in a process of its own against the same plan in this process, interleaved; prints one JSON document.
//   axle_benchmark_isolated MODEL INPUTS.flat POLICY.toml [--swap] [--shared] [--rounds N] [--block-ms N] [--limit-s N] [--core-speeds FILE]
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "axle_calls.h"
#include "paired.h"
#include "run_main.h"

namespace axle_benchmarks {
namespace {

axle::SessionOptions options_of(const std::string& policy, axle::Isolation isolation) {
  axle::SessionOptions options;
  options.policy = value_of(axle::load_policy(policy));
  options.policy.execution.isolation = isolation;
  return options;
}

int run(int argc, char** argv) {
  if (argc < 4) throw std::runtime_error("usage: MODEL INPUTS.flat POLICY.toml [options]");
  PairedOptions paired_options;
  bool swapped = false;
  Memory memory = Memory::kOwn;
  for (int i = 4; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--swap")
      swapped = true;
    else if (word == "--shared")
      memory = Memory::kShared;
    else if (i + 1 == argc || !paired_option(paired_options, word, argv[++i]))
      throw std::runtime_error(word + " is not an option, or lacks its value");
  }
  std::vector<FlatTensor> inputs = read_flat(argv[2]);
  std::optional<BoundSession> isolated, in_process;
  if (swapped) in_process.emplace(argv[1], options_of(argv[3], axle::Isolation::kNone), inputs, memory);
  isolated.emplace(argv[1], options_of(argv[3], axle::Isolation::kProcess), inputs, memory);
  if (!swapped) in_process.emplace(argv[1], options_of(argv[3], axle::Isolation::kNone), inputs, memory);
  if (!isolated->plan().partitions.front().isolated || in_process->plan().partitions.front().isolated)
    throw std::runtime_error("the two plans are not one isolated and one in this process");
  std::vector<Contender> turns;
  turns.push_back({"isolated", [&] { isolated->run_bound(); }, {}});
  turns.push_back({"in this process", [&] { in_process->run_bound(); }, {}});
  const PairedResult paired = run_paired(turns, paired_options);
  const axle::RatioInterval ratio = axle::paired_ratio(turns[0].block_ns, turns[1].block_ns);
  const nlohmann::json document = {{"candidate", isolated->plan().partitions.front().candidate.format()},
                                   {"call_ns", axle::median(turns[0].block_ns)},
                                   {"in_process_ns", axle::median(turns[1].block_ns)},
                                   {"ratio", ratio.ratio},
                                   {"interval", {ratio.low, ratio.high}},
                                   {"rounds", paired.rounds},
                                   {"disturbed_rounds", paired.disturbed},
                                   {"noisy", paired.noisy}};
  std::puts(document.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
