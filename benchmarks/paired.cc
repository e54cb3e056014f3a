#include "paired.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "runtime/measuring/core_speed.h"

namespace axle_benchmarks {
namespace {

constexpr int64_t kFewestCalls = 5;
constexpr int64_t kFewestRounds = 6;
constexpr double kSlowCore = 1.25;
constexpr size_t kMostCores = 16;
constexpr int64_t kBatchNs = 20'000;         // reading the clock once per batch keeps it out of what is measured
constexpr int64_t kAwakeNs = 10'000'000;     // untimed calls before a block
constexpr int64_t kMostIdleNs = 400'000'000;
constexpr double kLostShare = 0.03;          // of a block

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t process_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// How long our threads together were ready to run without a CPU: the kernel's own count of what others took from us.
int64_t waiting_ns() {
  int64_t total = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream in(thread.path() / "schedstat");
    int64_t running = 0, waiting = 0;
    if (in >> running >> waiting) total += waiting;
  }
  return total;
}

// Ticks that the hypervisor gave to others, as time.
int64_t stolen_ns() {
  std::ifstream in("/proc/stat");
  std::string word;
  int64_t ticks = 0;
  in >> word;
  for (int i = 0; i < 8; ++i) in >> ticks;
  return ticks * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

// Until a few milliseconds pass in which this process uses no CPU: pools that spin after a run have then gone to sleep.
void wait_until_idle() {
  const int64_t limit = now_ns() + kMostIdleNs;
  while (now_ns() < limit) {
    const int64_t before = process_cpu_ns();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (process_cpu_ns() - before < 500'000) return;
  }
}

struct Block {
  double call_ns = 0;
  bool disturbed = false;
};

class Timer {
 public:
  explicit Timer(std::string file) : file_(std::move(file)), cpus_(axle::usable_cpus(kMostCores)) {
    std::ostringstream text;
    text << std::ifstream(file_).rdbuf();
    speeds_ = axle::CoreSpeeds::parse(text.str());
    for (int i = 0; i < 7; ++i) slow();
  }
  ~Timer() {
    if (!file_.empty()) std::ofstream(file_) << speeds_.text();
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  Block block(const std::function<void()>& call, int64_t length_ns) {
    wait_until_idle();
    const int64_t batch = wake(call);
    const bool slow_before = slow();
    const int64_t stolen_before_ns = stolen_ns();
    const int64_t waiting_before_ns = waiting_ns();
    const int64_t started = now_ns();
    std::vector<double> batches;
    int64_t last = started;
    while (last - started < length_ns || static_cast<int64_t>(batches.size()) * batch < kFewestCalls) {
      for (int64_t i = 0; i < batch; ++i) call();
      const int64_t now = now_ns();
      batches.push_back(static_cast<double>(now - last) / static_cast<double>(batch));
      last = now;
    }
    Block result{axle::median(std::move(batches)), false};
    const auto allowed_ns = static_cast<int64_t>(kLostShare * static_cast<double>(last - started));
    // Stealing is counted in ticks of 10 ms: one is forgiven.
    const bool lost = waiting_ns() - waiting_before_ns > allowed_ns || stolen_ns() - stolen_before_ns > allowed_ns + 10'000'000;
    if (!lost && !slow_before) wait_until_idle();
    result.disturbed = lost || slow_before || slow();
    return result;
  }

 private:
  // Calls until the engine is awake; returns how many calls fill a batch.
  static int64_t wake(const std::function<void()>& call) {
    const int64_t started = now_ns();
    int64_t calls = 0;
    int64_t last = started;
    do {
      call();
      ++calls;
      last = now_ns();
    } while (last - started < kAwakeNs);
    return std::max<int64_t>(1, kBatchNs * calls / (last - started));
  }

  bool slow() { return speeds_.slow(cpus_, axle::time_cores(cpus_), kSlowCore); }

  const std::string file_;
  const std::vector<int32_t> cpus_;
  axle::CoreSpeeds speeds_;
};

}  // namespace

bool paired_option(PairedOptions& options, const std::string& word, const std::string& value) {
  if (word == "--rounds")
    options.rounds = std::stoll(value);
  else if (word == "--block-ms")
    options.block_ns = std::stoll(value) * 1'000'000;
  else if (word == "--limit-s")
    options.limit_ns = std::stoll(value) * 1'000'000'000;
  else if (word == "--core-speeds")
    options.core_speeds = value;
  else
    return false;
  return true;
}

PairedResult run_paired(std::vector<Contender>& contenders, const PairedOptions& options) {
  Timer timer(options.core_speeds);
  PairedResult result;
  std::vector<std::vector<double>> left_out;
  const int64_t started = now_ns();
  // However long a round takes, one is counted.
  for (int64_t i = 0; result.rounds < options.rounds && (i <= options.dropped || now_ns() - started < options.limit_ns); ++i) {
    std::vector<double> times(contenders.size());
    bool disturbed = false;
    for (size_t place = 0; place < contenders.size(); ++place) {
      const size_t which = i % 2 == 0 ? place : contenders.size() - 1 - place;
      const Block block = timer.block(contenders[which].call, options.block_ns);
      times[which] = block.call_ns;
      disturbed = disturbed || block.disturbed;
    }
    if (i < options.dropped) continue;
    if (disturbed) {
      ++result.disturbed;
      left_out.push_back(std::move(times));
      continue;
    }
    ++result.rounds;
    for (size_t k = 0; k < contenders.size(); ++k) contenders[k].block_ns.push_back(times[k]);
  }
  if (result.rounds < kFewestRounds && result.disturbed > 0) {
    result.noisy = true;
    for (const std::vector<double>& times : left_out) {
      for (size_t k = 0; k < contenders.size(); ++k) contenders[k].block_ns.push_back(times[k]);
    }
  }
  return result;
}

std::vector<double> look_ns(std::vector<Contender> contenders, PairedOptions options) {
  options.rounds = 2;
  options.dropped = 1;
  options.block_ns /= 4;
  options.limit_ns /= 10;
  run_paired(contenders, options);
  std::vector<double> times;
  for (const Contender& contender : contenders) times.push_back(axle::median(contender.block_ns));
  return times;
}

Difference paired_difference(const std::vector<double>& base_ns, const std::vector<double>& theirs_ns) {
  std::vector<double> differences;
  for (size_t i = 0; i < std::min(base_ns.size(), theirs_ns.size()); ++i) differences.push_back(theirs_ns[i] - base_ns[i]);
  Difference result;
  if (differences.empty()) return result;
  result.median_ns = axle::median(differences);
  constexpr int kResamples = 1000;
  std::mt19937_64 random(1);
  std::vector<double> medians(kResamples);
  std::vector<double> sample(differences.size());
  for (double& value : medians) {
    for (double& drawn : sample) drawn = differences[random() % differences.size()];
    value = axle::median(sample);
  }
  std::sort(medians.begin(), medians.end());
  result.low_ns = medians[kResamples / 40];
  result.high_ns = medians[kResamples - kResamples / 40 - 1];
  return result;
}

}  // namespace axle_benchmarks
