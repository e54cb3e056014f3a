// axle compile: plan, build the artefacts, check that they load where this machine can load them.
#include "axle/compile.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "axle/cache.h"
#include "axle/device_profile.h"
#include "axle/explain.h"
#include "axle/session.h"
#include "choice.h"
#include "command.h"
#include "console.h"
#include "recording.h"

namespace axle::cli {
namespace {

constexpr size_t kShortKey = 12;

struct CompileArguments {
  std::string model;
  std::vector<std::string> target;
  std::string machine;
  std::string archive;
  std::string files;
  ChoiceFlags choice;
  InputFlags inputs;
  OutputFlags output;
  ProfileFlag profile;
};

// One run of the command: what its steps share.
struct Build {
  const CompileArguments& arguments;
  std::shared_ptr<Runtime> runtime;
  std::optional<Model> model;
  Policy policy;
  std::vector<NamedTensor> samples;
  Machine machine;
  bool elsewhere = false;
  ProgressCallback progress;
};

std::string short_key(const CompiledPart& part) { return part.key_digest.substr(part.key_digest.find(':') + 1, kShortKey); }

// A plan is for one machine; a plan for another is not loaded here.
Result<Build> prepare(const CompileArguments& arguments, ProgressCallback progress) {
  Build build{arguments, nullptr, {}, {}, {}, {}, false, std::move(progress)};
  AXLE_ASSIGN_OR_RETURN(build.runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(build.policy, arguments.choice.policy());
  AXLE_ASSIGN_OR_RETURN(build.model, arguments.inputs.open_model(*build.runtime, arguments.model));
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, arguments.inputs.load(*build.runtime, *build.model, build.policy));
  build.samples = std::move(samples.tensors);
  AXLE_ASSIGN_OR_RETURN(build.machine, build.runtime->machine());
  if (arguments.machine.empty()) return build;
  AXLE_ASSIGN_OR_RETURN(Machine machine, find_machine(arguments.machine));
  build.elsewhere = machine.fingerprint() != build.machine.fingerprint();
  if (build.elsewhere && arguments.profile.given()) {
    return invalid_argument_error("--profile: nothing is run for " + arguments.machine + ", which is not here")
        .with_hint("leave --profile out, and record a run there: axle run " + arguments.model + " --profile " +
                   arguments.profile.file);
  }
  build.machine = std::move(machine);
  return build;
}

Result<Plan> decide(const Build& build) {
  PlanRequest request;
  request.policy = build.policy;
  request.samples = build.samples;
  request.progress = build.progress;
  request.cancel = interrupt_token();
  if (build.elsewhere) request.machine = &build.machine;
  request.prepare = true;  // copies of the model in precisions that only measuring admits are artefacts, too
  AXLE_ASSIGN_OR_RETURN(PlanReport report, make_plan(*build.runtime, *build.model, request));
  return std::move(report.plan);
}

Result<std::vector<CompiledPart>> compile_parts(const Build& build, const Plan& plan) {
  CompileOptions options;
  options.cancel = interrupt_token();
  options.progress = build.progress;
  if (build.elsewhere) options.machine = &build.machine;
  return compile_plan(*build.runtime, *build.model, plan, options);
}

SessionOptions session_options(const Build& build) {
  SessionOptions options;
  options.policy = build.policy;
  options.runtime = build.runtime;
  options.samples = build.samples;
  options.cancel = interrupt_token();
  options.progress = build.progress;
  return options;
}

// What was compiled now, before the session was loaded and found all of it.
LoadTiming with_compiling(LoadTiming timing, const std::vector<CompiledPart>& parts) {
  for (const CompiledPart& part : parts) {
    timing.compile_ns += part.compile_ns;
    if (part.cache == "miss" || timing.cache == "none") timing.cache = part.cache;
  }
  return timing;
}

std::vector<std::string> keys_of(const std::vector<CompiledPart>& parts) {
  std::vector<std::string> keys;
  for (const CompiledPart& part : parts) {
    if (!part.key_digest.empty() && std::ranges::find(keys, part.key_digest) == keys.end()) keys.push_back(part.key_digest);
  }
  return keys;
}

// Of several artefacts each has a folder of its own, in the plan's order.
Status write_files(const Build& build, const std::vector<CompiledPart>& parts) {
  const std::string& folder = build.arguments.files;
  if (folder.empty()) return ok_status();
  const std::vector<std::string> keys = keys_of(parts);
  if (keys.empty())
    return failed_precondition_error("there is nothing to write to '" + folder + "': the engine keeps no artefacts");
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string own = keys.size() == 1 ? folder : folder + "/" + std::to_string(i);
    AXLE_ASSIGN_OR_RETURN(const auto names, write_artefact_files(*build.runtime->cache(), keys[i], own));
    if (!build.arguments.output.quiet) std::fprintf(stderr, "wrote %zu file(s) into %s\n", names.size(), own.c_str());
  }
  return ok_status();
}

Status write_archive(const Build& build, const std::vector<CompiledPart>& parts) {
  const CompileArguments& arguments = build.arguments;
  if (arguments.archive.empty()) return ok_status();
  const std::vector<std::string> keys = keys_of(parts);
  if (keys.empty())
    return failed_precondition_error("there is nothing to write to '" + arguments.archive + "': the engine keeps no artefacts");
  AXLE_ASSIGN_OR_RETURN(const CacheTransferReport report,
                        build.runtime->cache()->export_archive(arguments.archive, keys, interrupt_token()));
  if (!arguments.output.quiet) {
    std::fprintf(stderr, "wrote %s: %llu artefact(s), %s (there: axle cache import %s)\n", arguments.archive.c_str(),
                 static_cast<unsigned long long>(report.entries), format_size(report.bytes).c_str(), arguments.archive.c_str());
  }
  return ok_status();
}

void print_parts(const std::vector<CompiledPart>& parts) {
  for (const CompiledPart& part : parts) {
    const std::string how = part.cache == "none"  ? "the engine keeps no artefact"
                            : part.cache == "hit" ? "in the cache already"
                                                  : "compiled in " + format_duration(part.compile_ns);
    std::printf("artefact: %s%s%s\n", how.c_str(), part.key_digest.empty() ? "" : ", ",
                part.key_digest.empty() ? "" : (short_key(part) + ", " + format_size(part.size_bytes)).c_str());
  }
}

Status print(const Build& build, const Plan& plan, const std::vector<CompiledPart>& parts, const Session* session) {
  RunDocument document;
  document.model = &*build.model;
  document.policy = &build.policy;
  document.machine = &build.machine;
  document.plan = &plan;
  document.compiled = parts;
  const LoadTiming timing = with_compiling(session != nullptr ? session->timing() : LoadTiming{}, parts);
  document.timing = &timing;
  if (session != nullptr) document.effective_json = session->effective_json();
  if (build.arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_run_json(document));
    std::puts(json.c_str());
  } else if (!build.arguments.output.quiet) {
    std::fputs(render_plan_line(document).c_str(), stdout);
    print_parts(parts);
    if (session == nullptr) std::printf("compiled for %s, which is not here: not loaded\n", build.arguments.machine.c_str());
  }
  return ok_status();
}

Status compile(const CompileArguments& arguments, ProgressLine& line) {
  const ProgressCallback show = [&](const std::string& what, double fraction) { line.show(what, fraction); };
  AXLE_ASSIGN_OR_RETURN(const Build build, prepare(arguments, show));
  AXLE_ASSIGN_OR_RETURN(Plan plan, decide(build));
  AXLE_ASSIGN_OR_RETURN(std::vector<CompiledPart> parts, compile_parts(build, plan));
  std::optional<Session> session;
  if (!build.elsewhere) {
    AXLE_ASSIGN_OR_RETURN(session, Session::create(*build.model, session_options(build)));
    if (session->plan().digest() != plan.digest()) {  // a tuning budget decided otherwise
      AXLE_ASSIGN_OR_RETURN(parts, compile_parts(build, session->plan()));
    }
    plan = session->plan();
    AXLE_RETURN_IF_ERROR(arguments.profile.record(*build.model, plan, session_options(build), build.samples));
  }
  AXLE_RETURN_IF_ERROR(write_archive(build, parts));
  AXLE_RETURN_IF_ERROR(write_files(build, parts));
  line.clear();
  return print(build, plan, parts, session ? &*session : nullptr);
}

// A cancelled build leaves nothing that could be taken for an artefact.
Status explained(Status status) {
  if (status.code() != StatusCode::kCancelled || !status.hint().empty()) return status;
  return std::move(status).with_hint("nothing half-made is left, and what was compiled before stays: start it again to go on");
}

}  // namespace

int run_compile(int argc, char** argv) {
  CompileArguments arguments;
  Arguments spec("compile", "Builds the artefacts of a plan into the cache and checks that they load.");
  spec.positional(arguments.model, "MODEL", "model file or folder");
  arguments.choice.declare(spec);
  spec.option(arguments.target, "--target", "SELECTOR[,...]", "another word for --device");
  spec.option(arguments.machine, "--machine", "MACHINE",
              "compile for a machine by name or record (axle devices --record), by engines that compile for its devices");
  arguments.inputs.declare(spec);
  arguments.output.declare(spec);
  spec.option(arguments.archive, "-o,--output", "FILE",
              "also write the artefacts into one file, for axle cache import elsewhere");
  spec.option(arguments.files, "--files", "DIR", "also write the compiled files themselves, for the vendor's own runtime");
  arguments.profile.declare(spec, "of a few runs of what was compiled");
  spec.example("axle compile model.onnx --device cpu", "so that the first run starts warm");
  spec.example("axle compile model.onnx --engine acme --machine board.json -o m.axc",
               "on a build server, for a board that is not here");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  arguments.inputs.finish(spec);
  arguments.choice.device.insert(arguments.choice.device.end(), arguments.target.begin(), arguments.target.end());
  ProgressLine line(!arguments.output.json && !arguments.output.quiet);
  const Status status = explained(compile(arguments, line));
  line.clear();
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
