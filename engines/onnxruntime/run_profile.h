// Records one run with the vendor's profiler and hands its node events to the host. Files appear only in the scratch folder
// and are deleted. Libraries older than 1.25 record one event for the whole run.
#pragma once

#include <string>

#include "runtime.h"

namespace axle::ort {

class RunProfile {
 public:
  // Starts recording on `options`, which outlives this object.
  RunProfile(const Runtime& runtime, OrtRunOptions* options);
  ~RunProfile();
  RunProfile(const RunProfile&) = delete;
  RunProfile& operator=(const RunProfile&) = delete;

  // Stops and delivers; call once, after the run returned. Never throws: a lost profile does not fail the run.
  void finish(const kit::Profile& profile) noexcept;

 private:
  void stop() noexcept;

  const Runtime& runtime_;
  OrtRunOptions* options_;
  std::string prefix_;     // empty: the library cannot profile one run
  int64_t start_ns_ = 0;
};

// Node events of a vendor profile (Chrome trace JSON), times shifted so that the profile's zero is start_ns. False when it cannot be read.
bool deliver_profile(const std::string& json, int64_t start_ns, const kit::Profile& profile);

}  // namespace axle::ort
