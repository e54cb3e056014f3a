// Which recorded measurements count for which candidate.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/planner_input.h"

namespace axle {

inline constexpr int64_t kOldEvidenceSeconds = int64_t{90} * 24 * 3600;

// Ratio of two candidates' times with its 95 % interval. Unpaired: from two separate medians, no interval.
struct TimeRatio {
  double ratio = 1, low = 0, high = 0;
  bool paired = false;
};

// What is known of one candidate. Pointers live as long as the planner's input.
struct CandidateEvidence {
  const EvidenceRow* timing = nullptr;   // newest that counts
  const EvidenceRow* failure = nullptr;  // newest failure, when no later measurement contradicts it
  const EvidenceRow* error = nullptr;    // newest with error figures on the right samples
  const EvidenceRow* memory = nullptr;   // newest with a peak
  // Newest of each number of callers above one and of rows computed together, ascending: where the policy joins so many rows only those, where it
  // joins as many as pay those beside the ones that join none.
  std::vector<const EvidenceRow*> streams;
  const EvidenceRow* outdated = nullptr;  // newest of another library, driver or system: shown, never counted
};

class EvidenceIndex {
 public:
  // Rows count when model, shapes, machine and library are equal, for the whole model; those of several callers as streams only.
  // `fingerprint` is the identity of the machine planned for. Rows of its hardware under other drivers are outdated.
  EvidenceIndex(const PlannerInput& input, const std::string& fingerprint);

  CandidateEvidence find(const std::string& candidate, const std::string& library_digest, bool simulated) const;
  // Older than 90 days.
  bool is_old(const EvidenceRow& row) const;

 private:
  const PlannerInput& input_;
  const std::string& fingerprint_;
  bool may_join_ =
      false;  // rows of joined requests count beside others: the policy leaves it to measurements, and the model lets them be joined
  std::map<std::string, std::vector<const EvidenceRow*>, std::less<>> rows_;  // by candidate, oldest first
};

// Time per completed request with the number of callers with which it is least; 0 = nothing was measured.
struct BestRequests {
  int64_t request_ns = 0;
  int32_t callers = 1;
  int32_t batch =
      1;  // rows computed together at most; more than one only where that serves 5 % more requests, or was all that was measured
  double per_s() const { return request_ns > 0 ? 1e9 / static_cast<double>(request_ns) : 0; }
  // "8 callers", "8 callers, up to 4 rows together".
  std::string callers_text() const;
};
BestRequests best_requests(const CandidateEvidence& evidence);

// The median a candidate is judged by; 0 = the row holds no time.
int64_t judged_ns(const EvidenceRow& row);
// Time of `a` over time of `b`, paired when either row measured the two together.
TimeRatio time_ratio(const EvidenceRow& a, const EvidenceRow& b);

}  // namespace axle
