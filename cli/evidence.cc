// axle evidence: the measurements (ls, export, import, rm).
#include <cstdio>

#include "axle/evidence_store.h"
#include "axle/explain.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct EvidenceArguments {
  std::string action;
  std::string file;
  std::string model;
  std::string candidate;
  bool all = false;
  bool stale = false;
  OutputFlags output;
};

Result<EvidenceFilter> filter_of(const EvidenceArguments& arguments) {
  EvidenceFilter filter;
  filter.candidate = arguments.candidate;
  if (arguments.model.empty() || arguments.model.starts_with("sha256:")) {
    filter.model_digest = arguments.model;
    return filter;
  }
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const Model model, open_model(*runtime, arguments.model));
  filter.model_digest = model.digest();
  return filter;
}

Status list(const EvidenceStore& store, const EvidenceFilter& filter, const EvidenceArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(std::vector<EvidenceRow> rows, store.find(filter));
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(std::vector<EvidenceAge> ages, evidence_ages(*runtime, rows));
  if (arguments.stale) {
    size_t kept = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (ages[i].standing != EvidenceStanding::kStale) continue;
      std::swap(rows[kept], rows[i]);
      std::swap(ages[kept++], ages[i]);
    }
    rows.resize(kept);
    ages.resize(kept);
  }
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_evidence_json(rows, ages));
    std::puts(json.c_str());
    return ok_status();
  }
  std::fputs(render_evidence_text(rows, ages, text_style(false)).c_str(), stdout);
  return ok_status();
}

// How many rows it was: one document for machines, a line for people.
void tell(const EvidenceArguments& arguments, const char* key, uint64_t rows, const char* words) {
  const auto count = static_cast<unsigned long long>(rows);
  if (arguments.output.json)
    std::printf("{\"%s\":%llu}\n", key, count);
  else if (!arguments.output.quiet)
    std::fprintf(stderr, "%llu %s\n", count, words);
}

Result<uint64_t> remove_stale(EvidenceStore& store, const EvidenceFilter& filter) {
  AXLE_ASSIGN_OR_RETURN(const auto runtime, default_runtime());
  AXLE_ASSIGN_OR_RETURN(const std::vector<EvidenceRow> rows, store.find(filter));
  AXLE_ASSIGN_OR_RETURN(const std::vector<EvidenceAge> ages, evidence_ages(*runtime, rows));
  // What others record meanwhile was not judged, and stays.
  return store.rm_if(filter, [&](const EvidenceRow& row) {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (ages[i].standing == EvidenceStanding::kStale && rows[i] == row) return true;
    }
    return false;
  });
}

Status run(const EvidenceArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(EvidenceStore store, EvidenceStore::open());
  AXLE_ASSIGN_OR_RETURN(const EvidenceFilter filter, filter_of(arguments));
  if (arguments.action == "ls") return list(store, filter, arguments);
  if (arguments.action == "export") {
    AXLE_ASSIGN_OR_RETURN(const std::string json, store.export_json(filter));
    if (!arguments.file.empty()) return write_text_file(arguments.file, json + "\n");
    std::puts(json.c_str());
    return ok_status();
  }
  if (arguments.action == "import") {
    AXLE_ASSIGN_OR_RETURN(const std::string json, read_text_file(arguments.file));
    auto added = store.import_json(json);
    if (!added) {
      return std::move(added).error().with_context(arguments.file).with_hint("it takes what `axle evidence export FILE` wrote");
    }
    tell(arguments, "added", *added, "new rows");
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const uint64_t removed,
                        arguments.stale ? remove_stale(store, filter) : store.rm(filter, arguments.all));
  tell(arguments, "removed", removed, "rows removed");
  return ok_status();
}

// What is missing, or was given and the action would not look at; "" = nothing.
std::string misfit_of(const EvidenceArguments& arguments) {
  const std::string& action = arguments.action;
  if ((action == "ls" || action == "rm") && !arguments.file.empty())
    return "axle evidence " + action + " takes no '" + arguments.file + "'; --model MODEL names the rows of a model";
  if (action == "import" && arguments.file.empty()) return "axle evidence import needs a file";
  if (action != "rm" && arguments.all) return "--all goes with rm";
  if (action != "rm" && action != "ls" && arguments.stale) return "--stale goes with ls and rm";
  const bool says_which = !arguments.model.empty() || !arguments.candidate.empty() || arguments.all || arguments.stale;
  return action == "rm" && !says_which ? "axle evidence rm wants to know which: --model, --candidate, --stale or --all" : "";
}

}  // namespace

int run_evidence(int argc, char** argv) {
  EvidenceArguments arguments;
  Arguments spec("evidence", "The measurements that plans decide on: ls, export, import FILE, rm.");
  spec.positional(arguments.action, "ACTION", "ls, export, import or rm");
  spec.positional(arguments.file, "FILE", "of export and import", false);
  spec.option(arguments.model, "--model", "MODEL", "only rows of this model (file or digest)");
  spec.option(arguments.candidate, "--candidate", "NAME", "only rows of this candidate");
  spec.flag(arguments.all, "--all", "rm: every row");
  spec.flag(arguments.stale, "--stale", "ls, rm: rows of other versions of engine, driver or system than are here");
  arguments.output.declare(spec);
  spec.example("axle evidence ls --model model.onnx", "what was measured for a model");
  spec.example("axle evidence export fleet.json", "then, elsewhere: axle evidence import fleet.json");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  const std::string& action = arguments.action;
  if (action != "ls" && action != "export" && action != "import" && action != "rm") {
    return report_usage("there is no 'axle evidence " + action + "'", "axle evidence --help", arguments.output.json);
  }
  if (const std::string misfit = misfit_of(arguments); !misfit.empty())
    return report_usage(misfit, "axle evidence --help", arguments.output.json);
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
