// Renderings of lists and reports, as the command line prints them. Text takes the style as keywords.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "axle/explain.h"
#include "bind.h"
#include "documents.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// def render_X_text(subject, verbose=False, width=100, color=False) -> str
template <auto kRender, typename Subject>
void bind_text(nb::module_& module, const char* name, const char* subject, const char* what) {
  module.def(
      name,
      [](const Subject& value, bool verbose, int width, bool color) {
        return unlocked([&] { return kRender(value, style_of(verbose, width, color)); });
      },
      nb::arg(subject), nb::arg("verbose") = false, nb::arg("width") = 100, nb::arg("color") = false, what);
}

// The same of two subjects.
template <auto kRender, typename First, typename Second>
void bind_text_of_two(nb::module_& module, const char* name, const char* first, const char* second, const char* what) {
  module.def(
      name,
      [](const First& one, const Second& other, bool verbose, int width, bool color) {
        return unlocked([&] { return kRender(one, other, style_of(verbose, width, color)); });
      },
      nb::arg(first), nb::arg(second), nb::arg("verbose") = false, nb::arg("width") = 100, nb::arg("color") = false, what);
}

template <auto kRender, typename Subject>
void bind_json(nb::module_& module, const char* name, const char* subject, const char* what) {
  module.def(name, [](const Subject& value) { return take(unlocked([&] { return kRender(value); })); }, nb::arg(subject), what);
}

template <auto kRender, typename First, typename Second>
void bind_json_of_two(nb::module_& module, const char* name, const char* first, const char* second, const char* what) {
  module.def(
      name, [](const First& one, const Second& other) { return take(unlocked([&] { return kRender(one, other); })); },
      nb::arg(first), nb::arg(second), what);
}

using Engines = std::vector<EngineState>;
using Opinions = std::vector<EngineOpinion>;
using Profiles = std::vector<DeviceProfile>;
using Names = std::vector<std::string>;
using Rows = std::vector<EvidenceRow>;
using Ages = std::vector<EvidenceAge>;
using Entries = std::vector<CacheEntry>;

void bind_what_there_is(nb::module_& module) {
  bind_text_of_two<&render_devices_text, Machine, Engines>(module, "render_devices_text", "machine", "engines",
                                                           "Resources with the engines that reach them.");
  bind_json_of_two<&render_devices_json, Machine, Engines>(module, "render_devices_json", "machine", "engines",
                                                           "docs/formats/devices-document.md");
  bind_text<&render_engines_text, Engines>(module, "render_engines_text", "engines",
                                           "Engines, present or not, with the reason and the install command.");
  bind_json<&render_engines_json, Engines>(module, "render_engines_json", "engines", "docs/formats/engines-document.md");
  bind_text<&render_machine_figures_text, MachineFigures>(module, "render_machine_figures_text", "figures",
                                                          "What measure_machine found.");
  bind_json<&render_machine_figures_json, MachineFigures>(module, "render_machine_figures_json", "figures",
                                                          "The same as JSON.");
  bind_text_of_two<&render_profiles_text, Profiles, Names>(module, "render_profiles_text", "profiles", "machines",
                                                           "Device profiles, and the machines to plan for by name.");
  bind_json_of_two<&render_profiles_json, Profiles, Names>(module, "render_profiles_json", "profiles", "machines",
                                                           "The same as JSON.");
  bind_text_of_two<&render_model_text, Model, Opinions>(module, "render_model_text", "model", "opinions",
                                                        "A model with what each engine says of it.");
  bind_json_of_two<&render_model_json, Model, Opinions>(module, "render_model_json", "model", "opinions",
                                                        "The document of axle inspect --json.");
}

DoctorReport doctor_of(const Machine* machine, const Engines& engines, const Names& problems,
                       const std::vector<WorkerSafeguard>& safeguards, bool healthy) {
  return {machine, engines, problems, safeguards, healthy};
}

void bind_doctor(nb::module_& module) {
  module.def(
      "render_doctor_text",
      [](const Machine& machine, const Engines& engines, const Names& problems, const std::vector<WorkerSafeguard>& safeguards,
         bool healthy, bool verbose, int width, bool color) {
        return render_doctor_text(doctor_of(&machine, engines, problems, safeguards, healthy), style_of(verbose, width, color));
      },
      nb::arg("machine"), nb::arg("engines"), nb::arg("problems"), nb::arg("safeguards"), nb::arg("healthy"),
      nb::arg("verbose") = false, nb::arg("width") = 100, nb::arg("color") = false,
      "What is installed, what is missing and the command that installs it. `healthy`: the main job can run.");
  module.def(
      "render_doctor_json",
      [](const Machine& machine, const Engines& engines, const Names& problems, const std::vector<WorkerSafeguard>& safeguards,
         bool healthy) { return take(render_doctor_json(doctor_of(&machine, engines, problems, safeguards, healthy))); },
      nb::arg("machine"), nb::arg("engines"), nb::arg("problems"), nb::arg("safeguards"), nb::arg("healthy"),
      "The same as JSON.");
}

void bind_reports(nb::module_& module) {
  bind_text<&render_tune_text, TuneReport>(module, "render_tune_text", "report", "The table of what was measured.");
  bind_json<&render_tune_json, TuneReport>(module, "render_tune_json", "report", "docs/formats/tune-document.md");
  bind_text<&render_plan_diff_text, PlanDiff>(module, "render_plan_diff_text", "diff", "Two plans in words.");
  bind_json<&render_plan_diff_json, PlanDiff>(module, "render_plan_diff_json", "diff", "docs/formats/plan-diff-document.md");
  bind_text_of_two<&render_lock_check_text, LockCheck, std::string>(module, "render_lock_check_text", "check", "path",
                                                                    "Whether the lock that is named so holds.");
  module.def(
      "render_lock_check_json",
      [](const LockCheck& check, const Lock& lock, const std::string& path) {
        return take(render_lock_check_json(check, lock, path));
      },
      nb::arg("check"), nb::arg("lock"), nb::arg("path"), "docs/formats/lock-check-document.md");
  bind_text_of_two<&render_evidence_text, Rows, Ages>(module, "render_evidence_text", "rows", "ages",
                                                      "Measurements and how each stands to what is here (evidence_ages).");
  bind_json_of_two<&render_evidence_json, Rows, Ages>(module, "render_evidence_json", "rows", "ages",
                                                      "docs/formats/cache-document.md");
}

void bind_cache_reports(nb::module_& module) {
  bind_text<&render_cache_text, Entries>(module, "render_cache_text", "entries", "The entries as a table.");
  bind_json<&render_cache_json, Entries>(module, "render_cache_json", "entries", "docs/formats/cache-document.md");
  module.def("render_cache_stats_text", &render_cache_stats_text, nb::arg("folder"), nb::arg("stats"), "Sizes and hit rates.");
  bind_json_of_two<&render_cache_stats_json, std::string, CacheStats>(module, "render_cache_stats_json", "folder", "stats",
                                                                      "docs/formats/cache-document.md");
  module.def("render_cache_verify_text", &render_cache_verify_text, nb::arg("report"), "What is damaged.");
  bind_json<&render_cache_verify_json, CacheVerifyReport>(module, "render_cache_verify_json", "report",
                                                          "docs/formats/cache-document.md");
  module.def("render_cache_gc_text", &render_cache_gc_text, nb::arg("report"), "What went.");
  bind_json<&render_cache_gc_json, CacheGcReport>(module, "render_cache_gc_json", "report", "docs/formats/cache-document.md");
  module.def("render_cache_transfer_text", &render_cache_transfer_text, nb::arg("report"), nb::arg("exported"),
             "What was written to an archive, or taken from one.");
  bind_json<&render_cache_transfer_json, CacheTransferReport>(module, "render_cache_transfer_json", "report",
                                                              "docs/formats/cache-document.md");
}

void bind_words(nb::module_& module) {
  module.def("format_duration", &format_duration, nb::arg("duration_ns"), "Nanoseconds with a sensible unit: \"3.42 ms\".");
  module.def(
      "parse_duration", [](const std::string& text) { return take(parse_duration(text)); }, nb::arg("text"),
      "\"20ms\", \"1.5s\", \"2m\" in nanoseconds. InvalidArgumentError names the units.");
  module.def("format_size", &format_size, nb::arg("size_bytes"), "Bytes with a sensible unit: \"12.1 MiB\".");
  module.def(
      "parse_size", [](const std::string& text) { return take(parse_size(text)); }, nb::arg("text"),
      "\"2GiB\", \"512MiB\", \"4096\" in bytes. InvalidArgumentError names the units.");
}

}  // namespace

void bind_renderers(nb::module_& module) {
  bind_what_there_is(module);
  bind_doctor(module);
  bind_reports(module);
  bind_cache_reports(module);
  bind_words(module);
}

}  // namespace axle::python
