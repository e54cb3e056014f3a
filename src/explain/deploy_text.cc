// What `axle deploy` says: analysed, selected, compiled, ready, and how to call it.
#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"

namespace axle {
namespace {

// One way to call a deployment.
struct Call {
  const char* from;
  std::vector<std::string> lines;
};

// A word of a shell command; quoted when it holds more than plain characters.
std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+=:,@%").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// A text literal of C++ and Python alike; other bytes than printable ASCII are escaped as JSON does, which both read.
std::string literal(const std::string& text) { return quoted_json(text); }

std::vector<Call> calls_of(const DeployDocument& document) {
  const std::string inputs = document.inputs_file.empty() ? "--random 1" : "--inputs " + shell_word(document.inputs_file);
  const std::string model = literal(document.model_file), lock = literal(document.lock_file);
  return {{"command line",
           {"axle run " + shell_word(document.model_file) + " --locked " + shell_word(document.lock_file) + " " + inputs +
            " --output-dir out"}},
          {"c++",
           {"const auto model = axle::Model::load(" + model + ");", "const auto lock = axle::load_lock(" + lock + ");",
            "auto session = axle::Session::load(model.value(), lock.value());  // value() says what went wrong and ends the "
            "program",
            "const auto outputs = session.value().run(feeds);"}},
          {"python", {"session = axle.Session.load(" + model + ", " + lock + ")", "outputs = session.run({name: array})"}}};
}

const Decision* chosen_of(const Plan& plan) {
  const auto found = std::find_if(plan.decisions.begin(), plan.decisions.end(),
                                  [](const Decision& d) { return d.verdict == DecisionVerdict::kChosen; });
  return found == plan.decisions.end() ? nullptr : &*found;
}

std::string analysed_line(const DeployDocument& document) {
  const Model& model = *document.run.model;
  std::string line = std::string(model.format_name());
  if (const auto summary = model.summary()) {
    line += ", " + summary->category;
    if (!summary->category_reason.empty()) line += ": " + summary->category_reason;
  }
  return line;
}

std::string selected_line(const DeployDocument& document) {
  const Plan& plan = *document.run.plan;
  std::string line;
  for (const Partition& part : plan.partitions) line += (line.empty() ? "" : " + ") + part.candidate.format();
  if (const Decision* chosen = chosen_of(plan)) line += ": " + chosen->reason;
  if (document.tuned != nullptr) {
    line += fmt::format("; measured for {}", format_duration(document.tuned->elapsed_ns));
  } else if (document.selection == "evidence") {
    line += "; from evidence of before (--remeasure measures anew)";
  } else {
    line += "; nothing was measured";
  }
  return line;
}

std::string compiled_line(const DeployDocument& document) {
  const LoadTiming& timing = *document.run.timing;
  if (timing.cache == "miss") return "compiled in " + format_duration(timing.compile_ns) + ", kept in the cache";
  if (timing.cache == "hit") return "in the cache already, loaded in " + format_duration(timing.load_ns);
  return "the engine keeps no artefact; loaded in " + format_duration(timing.load_ns);
}

std::string ready_line(const DeployDocument& document) {
  std::string line = document.folder.empty() ? document.lock_file : document.folder;
  if (document.run.run_ns > 0) line += "; it ran in " + format_duration(document.run.run_ns);
  return line;
}

}  // namespace

std::string render_deploy_text(const DeployDocument& document, const TextStyle& style) {
  TextTable steps({{"step"}, {"result", false, true}});
  steps.add_row({{"analysed"}, {analysed_line(document)}});
  steps.add_row({{"selected"}, {selected_line(document), Tone::kStrong}});
  steps.add_row({{"compiled"}, {compiled_line(document)}});
  steps.add_row({{"ready"}, {ready_line(document), Tone::kGood}});
  std::string out = steps.render(style.width, style.color);
  for (const Substitution& taken : document.run.plan->substitutions) {
    out += toned(fmt::format("substituted: {} instead of {}, allowed by {}: {}\n", taken.got, taken.wanted, taken.allowed_by,
                             taken.reason),
                 Tone::kWarn, style.color);
  }
  if (document.tuned != nullptr) {
    for (const std::string& note : document.tuned->notes) out += note_text(note, style.width);
  }
  for (const std::string& note : document.run.plan->notes) out += note_text(note, style.width);
  out += "\ncall it exactly as decided here\n";
  for (const Call& call : calls_of(document)) {
    out += toned(fmt::format("  {}\n", call.from), Tone::kDim, style.color);
    for (const std::string& line : call.lines) out += "    " + line + "\n";
  }
  return out;
}

Result<std::string> render_deploy_json(const DeployDocument& document) {
  AXLE_ASSIGN_OR_RETURN(const std::string run_text, render_run_json(document.run));
  AXLE_ASSIGN_OR_RETURN(Json root, parse_json(run_text));
  if (const auto summary = document.run.model->summary()) {
    root["model"]["category_reason"] = summary->category_reason;
    root["model"]["parameters"] = summary->parameter_count;
  }
  Json selection = {{"by", document.selection}, {"candidates", Json::array()}, {"notes", Json::array()}, {"elapsed_ms", 0}};
  if (document.tuned != nullptr) {
    AXLE_ASSIGN_OR_RETURN(const std::string tune_text, render_tune_json(*document.tuned));
    AXLE_ASSIGN_OR_RETURN(const Json tuned, parse_json(tune_text));
    for (const char* key : {"candidates", "notes", "elapsed_ms"}) selection[key] = tuned.at(key);
  }
  root["selection"] = std::move(selection);
  root["deployment"] = {{"lock", document.lock_file}, {"folder", document.folder}, {"model", document.model_file}};
  root["call"] = Json::object();
  for (const Call& call : calls_of(document)) {
    const std::string key = std::string(call.from) == "command line" ? "command_line" : call.from;
    root["call"][key] = call.lines;
  }
  return canonical_json(root);
}

}  // namespace axle
