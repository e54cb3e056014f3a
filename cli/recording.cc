#include "recording.h"

#include <cstdio>

#include "axle/explain.h"
#include "axle/tune.h"
#include "console.h"

namespace axle::cli {

void ProfileFlag::declare(Arguments& arguments, const std::string& when) {
  arguments.option(file, "--profile", "FILE", "write a Perfetto trace " + when);
}

Status ProfileFlag::write(const Session& session) const {
  if (!given()) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const std::string trace, render_profile_json(session));
  return write_text_file(file, trace + "\n");
}

Status ProfileFlag::record(const Model& model, const Plan& plan, SessionOptions options, std::vector<NamedTensor> feeds) const {
  if (!given()) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const Recording recording,
                        record_runs(model, plan, std::move(options), std::move(feeds), kRecordedRuns));
  return write(recording.session);
}

Result<Recording> record_runs(const Model& model, const Plan& plan, SessionOptions options, std::vector<NamedTensor> feeds,
                              int64_t runs) {
  if (feeds.empty()) {
    SampleOptions generate;
    generate.policy = options.policy;
    generate.cancel = options.cancel;
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, generate_samples(*options.runtime, model, generate));
    std::fprintf(stderr, "axle: no inputs were given: %s\n", samples.note.c_str());
    feeds = std::move(samples.tensors);
  }
  options.profile = true;
  RunOptions run_options;
  run_options.cancel = options.cancel;
  AXLE_ASSIGN_OR_RETURN(Session session, Session::load(model, plan, std::move(options)));
  Recording recording{std::move(session)};
  for (int64_t i = 0; i < runs; ++i) {
    const int64_t started = steady_now_ns();
    AXLE_RETURN_IF_ERROR(recording.session.run(feeds, run_options).status());
    recording.run_ns = steady_now_ns() - started;
    if (i == 0) recording.first_run_ns = recording.run_ns;
  }
  return recording;
}

}  // namespace axle::cli
