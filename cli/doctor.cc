// axle doctor: what is installed, what is missing, and the command that installs it.
#include <algorithm>
#include <cstdio>

#include "axle/explain.h"
#include "axle/runtime.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

constexpr int kEngineFailed = 6;

// 0 when the main job can run: at least one engine that is not an example is present.
int doctor(const OutputFlags& output) {
  const auto runtime = default_runtime();
  if (!runtime) return report_failure(runtime.error(), output.json);
  const auto machine = (*runtime)->machine();
  if (!machine) return report_failure(machine.error(), output.json);
  DoctorReport report;
  report.machine = &*machine;
  report.engines = (*runtime)->engines().states();
  report.problems = (*runtime)->problems();
  for (const std::string& problem : (*runtime)->engines().problems()) report.problems.push_back(problem);
  report.safeguards = Runtime::worker_safeguards();
  report.healthy = std::any_of(report.engines.begin(), report.engines.end(),
                               [](const EngineState& engine) { return engine.present && !engine.info.example; });
  if (output.json) {
    const auto json = render_doctor_json(report);
    if (!json) return report_failure(json.error(), true);
    std::puts(json->c_str());
  } else {
    std::fputs(render_doctor_text(report, text_style(false)).c_str(), stdout);
  }
  return report.healthy ? 0 : kEngineFailed;
}

}  // namespace

int run_doctor(int argc, char** argv) {
  OutputFlags output;
  Arguments spec("doctor", "What is installed, what is missing, and the command that installs it.");
  output.declare(spec);
  spec.example("axle doctor", "exit status 0 when models can be run here");
  spec.example("axle doctor --json", "for scripts");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  return doctor(output);
}

}  // namespace axle::cli
