// axle engines: what can run models here, and what is absent and why; installing what engines need, and the user's engine
// descriptions (add, check, remove).
#include <algorithm>
#include <cstdio>
#include <iterator>

#include "axle/engine_description.h"
#include "axle/engine_packages.h"
#include "axle/explain.h"
#include "axle/runtime.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct EngineArguments {
  std::string action;
  std::string what;
  bool all = false;
  OutputFlags output;
};

Status list(const EngineArguments& arguments) {
  const OutputFlags& output = arguments.output;
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_RETURN_IF_ERROR(runtime->machine());
  std::vector<EngineState> states = runtime->engines().states();
  std::vector<EngineState> waiting = known_engine_descriptions(states);
  const size_t folded = output.json || arguments.all || output.verbose ? 0 : waiting.size();
  if (folded == 0) std::ranges::move(waiting, std::back_inserter(states));
  std::ranges::sort(states, {}, &EngineState::name);
  for (const std::string& problem : runtime->engines().problems()) std::fprintf(stderr, "axle: %s\n", problem.c_str());
  if (output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_engines_json(states));
    std::puts(json.c_str());
    return ok_status();
  }
  std::fputs(render_engines_text(states, text_style(false)).c_str(), stdout);
  if (folded > 0) std::printf("%zu more are described and not in use: axle engines --all\n", folded);
  return ok_status();
}

// The document of `axle engines`, with what was done to which file before it.
Status print_json(const EngineState& state, const std::string& key, const std::string& file) {
  AXLE_ASSIGN_OR_RETURN(const std::string json, render_engines_json({state}));
  std::printf("{%s:%s,%s\n", quoted_json(key).c_str(), quoted_json(file).c_str(), json.substr(1).c_str());
  return ok_status();
}

std::string what_it_is(const EngineState& state) {
  std::string text = state.name + " by " + state.info.vendor + ": " + state.info.description + "\n";
  if (state.info.library) text += "  found    " + state.info.library->path + ", version " + state.info.library->version + "\n";
  for (const EngineResource& resource : state.resources) {
    text += "  reaches  " + resource.resource.id + ": " + resource.resource.name;
    const auto backend = resource.resource.attributes.find("backend");
    if (resource.resource.simulated)
      text += ", simulated: " + (backend == resource.resource.attributes.end() ? "" : backend->second);
    text += "\n";
  }
  if (state.resources.empty()) text += "  reaches  no device of this machine\n";
  return text;
}

Status check(const EngineArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const EngineState state, check_engine_description(arguments.what));
  if (!state.present) {
    return Status(state.reason_code,
                  arguments.what + " is valid, but the engine '" + state.name + "' cannot be used: " + state.reason)
        .with_hint(state.install_command);
  }
  if (arguments.output.json) return print_json(state, "checked", arguments.what);
  std::printf("%snext: axle engines add %s\n", what_it_is(state).c_str(), arguments.what.c_str());
  return ok_status();
}

Status add(const EngineArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const AddedDescription added, add_engine_description(arguments.what));
  if (arguments.output.json) return print_json(added.state, "added", added.path);
  std::printf("%s %s\n", added.replaced ? "replaced" : "added", added.path.c_str());
  if (!added.state.present) {
    std::printf("'%s' cannot be used yet: %s\nnext: %s\n", added.state.name.c_str(), added.state.reason.c_str(),
                added.state.install_command.c_str());
    return ok_status();
  }
  const bool simulated = !added.state.resources.empty() && added.state.resources.front().resource.simulated;
  std::printf("%snext: axle run MODEL --engine %s%s\n", what_it_is(added.state).c_str(), added.state.name.c_str(),
              simulated ? " --device 'npu#sim'" : "");
  return ok_status();
}

Status remove(const EngineArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const std::string path, remove_engine_description(arguments.what));
  if (arguments.output.json)
    std::printf("{\"removed\":%s}\n", quoted_json(path).c_str());
  else
    std::printf("removed %s\n", path.c_str());
  return ok_status();
}

std::string known_engines(const std::vector<EnginePackages>& all) {
  std::string names;
  for (const EnginePackages& one : all) names += (names.empty() ? "" : ", ") + one.engine;
  return names;
}

Status install(const EngineArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<EnginePackages> all, engine_packages());
  const std::string& engine = arguments.what;
  const auto found = std::ranges::find(all, engine, &EnginePackages::engine);
  if (found == all.end()) {
    return not_found_error(engine.empty() ? "install what?" : "axle installs nothing for an engine '" + engine + "'")
        .with_hint("it can install: " + known_engines(all) + "; `axle engines` says how others are installed");
  }
  const bool quiet = arguments.output.quiet;
  if (!quiet) std::fprintf(stderr, "%s\nlicence: %s\n", found->what.c_str(), found->licence.c_str());
  ProgressLine progress;
  InstallOptions options;
  options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
  options.cancel = interrupt_token();
  AXLE_ASSIGN_OR_RETURN(const bool installed, install_engine_packages(*found, options));
  progress.clear();
  if (!quiet) std::fprintf(stderr, "%s in %s\n", installed ? "installed" : "was installed already", found->folder.c_str());
  return ok_status();
}

Status run(const EngineArguments& arguments) {
  if (arguments.action.empty()) return list(arguments);
  if (arguments.action == "install") return install(arguments);
  if (arguments.what.empty())
    return invalid_argument_error("axle engines " + arguments.action + " needs a file, or a name to remove");
  if (arguments.action == "add") return add(arguments);
  return arguments.action == "check" ? check(arguments) : remove(arguments);
}

}  // namespace

int run_engines(int argc, char** argv) {
  EngineArguments arguments;
  Arguments spec(
      "engines",
      "Engines with library path, version, ABI, resources, formats, precisions and kernels; install ENGINE for what one needs; "
      "add FILE, check FILE and remove NAME for engines that are described in a file.");
  spec.positional(arguments.action, "ACTION",
                  "none to list; install (pip, pinned, digests checked, a folder of yours), add, check or remove", false);
  spec.positional(arguments.what, "WHAT", "add, check: an engine description; install, remove: an engine's name", false);
  arguments.output.declare(spec);
  spec.flag(arguments.all, "--all", "list those too whose descriptions come with axle and are not in use");
  spec.example("axle engines install qnn", "fetch Qualcomm's libraries; shows their licence");
  spec.example("axle engines add npu.toml", "a vendor's compiler and runtime, described in npu.toml");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  const std::string& action = arguments.action;
  if (!action.empty() && action != "install" && action != "add" && action != "check" && action != "remove") {
    return report_usage("there is no 'axle engines " + action + "'", "axle engines --help", arguments.output.json);
  }
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
