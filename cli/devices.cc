// axle devices: what this machine has; --record writes it down for planning elsewhere, --profiles lists what is known of others.
#include <cstdio>

#include "axle/device.h"
#include "axle/device_profile.h"
#include "axle/explain.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

// What comes with axle: nothing of this machine.
Status profiles(const OutputFlags& output) {
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_profiles_json(known_device_profiles(), known_machines()));
    std::puts(json.c_str());
    return ok_status();
  }
  std::fputs(render_profiles_text(known_device_profiles(), known_machines(), text_style(output.verbose)).c_str(), stdout);
  return ok_status();
}

Status measure(const OutputFlags& output) {
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const MachineFigures figures, measure_machine(*runtime, interrupt_token()));
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_machine_figures_json(figures));
    std::puts(json.c_str());
  } else if (!output.quiet) {
    std::fputs(render_machine_figures_text(figures, text_style(output.verbose)).c_str(), stdout);
  }
  return ok_status();
}

Status devices(const std::string& record, const OutputFlags& output) {
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime->machine());
  if (!record.empty()) {
    AXLE_RETURN_IF_ERROR(save_machine(record, machine));
    std::fprintf(stderr, "recorded %s (plan for it anywhere: axle plan MODEL --machine %s)\n", record.c_str(), record.c_str());
    if (!output.json) return ok_status();
  }
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_devices_json(machine, runtime->engines().states()));
    std::puts(json.c_str());
    return ok_status();
  }
  std::fputs(render_devices_text(machine, runtime->engines().states(), text_style(output.verbose)).c_str(), stdout);
  return ok_status();
}

}  // namespace

int run_devices(int argc, char** argv) {
  std::string record;
  bool list_profiles = false;
  bool measures = false;
  OutputFlags output;
  Arguments spec("devices", "Resources of this machine and the engines that reach them.");
  spec.option(record, "--record", "FILE", "write this machine's record, to plan for it elsewhere");
  spec.flag(list_profiles, "--profiles", "list the device profiles and machines that can be planned for without having them");
  spec.flag(measures, "--measure",
            "measure memory bandwidth per NUMA node and peak operations per second; estimates use them from then on");
  output.declare(spec);
  spec.example("axle devices", "what is here");
  spec.example("axle devices --record laptop.json", "then, anywhere: axle plan model.onnx --machine laptop.json");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  if (static_cast<int>(list_profiles) + static_cast<int>(measures) + static_cast<int>(!record.empty()) > 1) {
    report_failure(
        invalid_argument_error("--profiles, --record and --measure exclude each other").with_hint("axle devices --help"),
        output.json);
    return 2;
  }
  const Status status = list_profiles ? profiles(output) : measures ? measure(output) : devices(record, output);
  return status.ok() ? 0 : report_failure(status, output.json);
}

}  // namespace axle::cli
