// Paired timing of contenders in one process. Contenders take turns in ABBA order, each turn a block of calls. Before a block
// the process idles until no thread pool of the other side spins any more, then calls are made untimed until the engine's own
// pool is awake. A block during which the machine was not ours is left out, together with its round.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/measuring/paired_stats.h"

namespace axle_benchmarks {

struct Contender {
  std::string name;
  std::function<void()> call;
  std::vector<double> block_ns;  // time per call, one per counted round; equal length over all contenders
};

struct PairedOptions {
  int64_t block_ns = 100'000'000;  // and at least 5 calls
  int64_t rounds = 16;             // that count
  int64_t dropped = 2;             // before them
  int64_t limit_ns = 30'000'000'000;
  std::string
      core_speeds;  // file of the least times of each core (runtime/core_speed.h), read and brought up to date; "" = none
};

// Takes --rounds N, --block-ms N, --limit-s N and --core-speeds FILE; false for any other word.
bool paired_option(PairedOptions& options, const std::string& word, const std::string& value);

struct PairedResult {
  int64_t rounds = 0;
  int64_t disturbed = 0;
  bool noisy = false;  // too few rounds were undisturbed, so the disturbed ones count as well: the interval shows it
};

PairedResult run_paired(std::vector<Contender>& contenders, const PairedOptions& options);

// Time per call of each contender by two short rounds: who is far behind need not take turns for long.
std::vector<double> look_ns(std::vector<Contender> contenders, PairedOptions options);

// Median of theirs[i] - base[i] with its 95 % bootstrap interval.
struct Difference {
  double median_ns = 0, low_ns = 0, high_ns = 0;
};
Difference paired_difference(const std::vector<double>& base_ns, const std::vector<double>& theirs_ns);

}  // namespace axle_benchmarks
