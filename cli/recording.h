// --profile FILE: a Perfetto trace of a plan's runs, the same of every command that makes a plan and can run it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "axle/plan.h"
#include "axle/session.h"
#include "axle/status.h"

namespace axle::cli {

inline constexpr int64_t kRecordedRuns = 3;

struct ProfileFlag {
  std::string file;

  // `when`: what is recorded.
  void declare(Arguments& arguments, const std::string& when);
  bool given() const { return !file.empty(); }
  // Nothing where it was not given.
  Status write(const Session& session) const;
  // Loads the plan anew, runs it a few times and writes that; nothing where the flag was not given.
  Status record(const Model& model, const Plan& plan, SessionOptions options, std::vector<NamedTensor> feeds) const;
};

// A session with recording on, after its runs.
struct Recording {
  Session session;
  int64_t first_run_ns = 0;
  int64_t run_ns = 0;  // the last one
};

// Without feeds they are generated, which is said on stderr. options.profile is set here.
Result<Recording> record_runs(const Model& model, const Plan& plan, SessionOptions options, std::vector<NamedTensor> feeds,
                              int64_t runs);

}  // namespace axle::cli
