// The vendor's libraries print a line of their own to standard output while they start. That is where programs write results.
#pragma once

namespace axle::qnn {

// While one lives, what this process prints to standard output goes to standard error. Scopes nest and may overlap on several
// threads; the last one restores. What other threads print meanwhile is diverted too: keep it around vendor calls that start
// something, not around runs.
class QuietStdout {
 public:
  QuietStdout() noexcept;
  ~QuietStdout();
  QuietStdout(const QuietStdout&) = delete;
  QuietStdout& operator=(const QuietStdout&) = delete;
};

}  // namespace axle::qnn
