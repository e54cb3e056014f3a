// Killing the process of a session's engine again and again, at random, while others call.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "axle/session.h"

namespace axle::testing {

// AXLE_TEST_KILLS, else `usual`.
inline int kills_asked_for(int usual) {
  const char* asked = std::getenv("AXLE_TEST_KILLS");
  return asked == nullptr ? usual : std::atoi(asked);
}

// Until so many lives have ended, or a request is lost. A life in which fewer than `least` were answered is the engine's failure to
// start, and another matter. How many were killed.
inline int kill_at_random(const Session& session, int kills, int64_t least, const std::atomic<int64_t>& answered,
                          const std::atomic<int64_t>& lost) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> pause(3, 30);
  int killed = 0;
  int64_t seen = 0;
  for (double last = 0; killed < kills && lost == 0;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause(random)));
    const auto counters = session.counters().front();
    const auto found = counters.find("worker_pid");
    const double pid = found == counters.end() ? 0 : found->second;
    if (pid <= 0 || pid == last || answered < seen + least) continue;
    seen = answered;
    last = pid;
    killed += ::kill(static_cast<pid_t>(pid), SIGKILL) == 0 ? 1 : 0;
  }
  return killed;
}

}  // namespace axle::testing
