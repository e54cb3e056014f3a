// Times axle's plan of a model against engines' own C APIs, interleaved in this process; prints one JSON document.
//   axle_benchmark_pair MODEL INPUTS.flat [--engine NAME] [--threads N] [--precision P] [--policy FILE.toml] [--session] [--itself] [--swap]
//     [--peer NAME=LIBRARY:T[,T...]]... [--rounds N] [--block-ms N] [--limit-s N] [--core-speeds FILE]
// A peer with several thread counts races with each of them. --itself: a second session of the same plan takes turns too; what the two
// differ by is what the machine and the placing of memory do to any comparison here. --swap: the peers are opened first, so that over
// several processes neither side always finds the emptier memory.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "axle/session.h"
#include "axle_calls.h"
#include "paired.h"
#include "peer.h"
#include "run_main.h"

namespace axle_benchmarks {
namespace {

using Json = nlohmann::json;

constexpr double kFarBehind = 1.3;

struct PeerWish {
  std::string name, library;
  std::vector<int> threads;
};

struct Arguments {
  std::string model, inputs, policy;
  std::vector<std::pair<std::string, std::string>> flags;  // choice flags, laid over the policy
  bool through_session = false;
  bool against_itself = false;
  bool swapped = false;
  std::vector<PeerWish> peers;
  PairedOptions paired;
};

PeerWish parse_peer(const std::string& text) {
  const size_t equals = text.find('=');
  const size_t colon = text.rfind(':');
  if (equals == std::string::npos || colon == std::string::npos || colon < equals) {
    throw std::runtime_error("--peer wants NAME=LIBRARY:T[,T]");
  }
  PeerWish wish{text.substr(0, equals), text.substr(equals + 1, colon - equals - 1), {}};
  std::istringstream counts(text.substr(colon + 1));
  for (std::string count; std::getline(counts, count, ',');) wish.threads.push_back(std::stoi(count));
  return wish;
}

Arguments parse(int argc, char** argv) {
  if (argc < 3) throw std::runtime_error("usage: MODEL INPUTS.flat [options]");
  Arguments arguments;
  arguments.model = argv[1];
  arguments.inputs = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--session") {
      arguments.through_session = true;
      continue;
    }
    if (word == "--itself") {
      arguments.against_itself = true;
      continue;
    }
    if (word == "--swap") {
      arguments.swapped = true;
      continue;
    }
    if (i + 1 >= argc) throw std::runtime_error(word + " wants a value");
    const std::string value = argv[++i];
    if (word == "--peer")
      arguments.peers.push_back(parse_peer(value));
    else if (word == "--policy")
      arguments.policy = value;
    else if (!paired_option(arguments.paired, word, value))
      arguments.flags.emplace_back(word, value);
  }
  return arguments;
}

axle::SessionOptions session_options(const Arguments& arguments) {
  axle::SessionOptions options;
  if (!arguments.policy.empty()) options.policy = value_of(axle::load_policy(arguments.policy));
  for (const auto& [flag, value] : arguments.flags) check(axle::apply_policy_flag(options.policy, flag, value));
  return options;
}

std::vector<FlatView> views_of(const std::vector<axle::Tensor>& tensors) {
  std::vector<FlatView> views;
  for (const axle::Tensor& tensor : tensors) {
    views.push_back({static_cast<int32_t>(tensor.dtype()), tensor.shape(), tensor.data()});
  }
  return views;
}

std::unique_ptr<Peer> open_ready(const PeerWish& wish, int threads, const std::string& model, std::vector<FlatTensor>& inputs) {
  auto peer = open_peer(wish.name, {wish.library, model, threads, ""});
  peer->bind_inputs(inputs);
  peer->first_run();
  peer->bind_outputs();
  peer->run();
  return peer;
}

// Of an engine's thread counts those that are far behind its best need not take turns for long: the comparison is with the best.
void leave_slow_threads(std::vector<Contender>& contenders, std::vector<std::unique_ptr<Peer>>& peers,
                        std::vector<int>& threads, const PairedOptions& options) {
  const size_t first = contenders.size() - peers.size();
  const std::vector<double> looked = look_ns(contenders, options);
  std::map<std::string, double> least;
  for (size_t i = first; i < looked.size(); ++i) {
    double& best = least.try_emplace(contenders[i].name, looked[i]).first->second;
    best = std::min(best, looked[i]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < peers.size(); ++i) {
    if (looked[first + i] > kFarBehind * least[contenders[first + i].name]) continue;
    std::swap(contenders[first + kept], contenders[first + i]);
    std::swap(peers[kept], peers[i]);
    std::swap(threads[kept], threads[i]);
    ++kept;
  }
  contenders.erase(contenders.begin() + static_cast<std::ptrdiff_t>(first + kept), contenders.end());
  peers.resize(kept);
  threads.resize(kept);
}

Json row_of(const Contender& ours, const Contender& theirs, int threads, double error) {
  const axle::RatioInterval ratio = axle::paired_ratio(ours.block_ns, theirs.block_ns);
  const Difference added = paired_difference(theirs.block_ns, ours.block_ns);
  return {{"peer", theirs.name},
          {"threads", threads},
          {"call_ns", axle::median(theirs.block_ns)},
          {"ratio", ratio.ratio},
          {"interval", {ratio.low, ratio.high}},
          {"added_ns", added.median_ns},
          {"added_interval_ns", {added.low_ns, added.high_ns}},
          {"pairs", ratio.pairs},
          {"max_relative_error", error}};
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  std::vector<FlatTensor> inputs = read_flat(arguments.inputs);
  std::optional<BoundSession> first, second;
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<int> threads;
  std::vector<Contender> of_peers;
  const auto open_peers = [&] {
    for (const PeerWish& wish : arguments.peers) {
      for (const int count : wish.threads) {
        peers.push_back(open_ready(wish, count, arguments.model, inputs));
        of_peers.push_back({wish.name, [raw = peers.back().get()] { raw->run(); }, {}});
        threads.push_back(count);
      }
    }
  };
  if (arguments.swapped) open_peers();
  first.emplace(arguments.model, session_options(arguments), inputs);
  if (arguments.against_itself) second.emplace(arguments.model, session_options(arguments), inputs);
  if (!arguments.swapped) open_peers();
  BoundSession& ours = arguments.swapped && second ? *second : *first;
  std::vector<Contender> contenders;
  contenders.push_back({"axle", [&] { ours.run_bound(); }, {}});
  if (arguments.through_session) contenders.push_back({"axle session", [&] { ours.run_session(); }, {}});
  if (second) {
    contenders.push_back({"axle again", [again = &ours == &*first ? &*second : &*first] { again->run_bound(); }, {}});
  }
  std::ranges::move(of_peers, std::back_inserter(contenders));
  leave_slow_threads(contenders, peers, threads, arguments.paired);
  const PairedResult paired = run_paired(contenders, arguments.paired);
  ours.run_bound();
  const axle::Partition& part = ours.plan().partitions.front();
  Json rows = Json::array();
  const size_t first_peer = contenders.size() - peers.size();
  for (size_t i = 0; i < peers.size(); ++i) {
    peers[i]->run();
    rows.push_back(row_of(contenders[0], contenders[first_peer + i], threads[i],
                          max_relative_error(views_of(ours.outputs()), peers[i]->outputs())));
  }
  Json document = {{"candidate", part.candidate.format()},
                   {"partitions", ours.plan().partitions.size()},
                   {"from_evidence", part.expected_from_evidence},
                   {"call_ns", axle::median(contenders[0].block_ns)},
                   {"rounds", paired.rounds},
                   {"disturbed_rounds", paired.disturbed},
                   {"noisy", paired.noisy},
                   {"peers", rows}};
  if (arguments.through_session) {
    const Difference added = paired_difference(contenders[0].block_ns, contenders[1].block_ns);
    document["session"] = {{"call_ns", axle::median(contenders[1].block_ns)}, {"added_to_bound_ns", added.median_ns}};
  }
  if (second) {
    const axle::RatioInterval itself = axle::paired_ratio(contenders[0].block_ns, contenders[first_peer - 1].block_ns);
    document["itself"] = {{"ratio", itself.ratio}, {"interval", {itself.low, itself.high}}};
  }
  std::puts(document.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
