// The one-page report of a plan: what runs, how fast, against which candidates, and why nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "explain/html.h"
#include "runtime/session_impl.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace html {
namespace {

constexpr size_t kMostNamed = 3;   // partitions named in the first sentence
constexpr size_t kMostCards = 6;   // partitions drawn as cards; more are a table
constexpr size_t kMostRows = 200;

const Decision* chosen_of(const Plan& plan) {
  const auto found = std::find_if(plan.decisions.begin(), plan.decisions.end(),
                                  [](const Decision& d) { return d.verdict == DecisionVerdict::kChosen; });
  return found == plan.decisions.end() ? nullptr : &*found;
}

std::string title_of(const RunDocument& document) {
  if (document.model == nullptr) return "A locked plan";
  const std::string& path = document.model->path();
  if (path.empty()) return document.model->name();
  const size_t last = path.find_last_not_of('/');
  std::string trimmed = path.substr(0, last + 1);
  // The folder is part of the name when the file says nothing: "resnet/model.onnx".
  const size_t slash = trimmed.rfind('/');
  if (slash == std::string::npos || slash == 0) return trimmed;
  const size_t before = trimmed.rfind('/', slash - 1);
  return trimmed.substr(before == std::string::npos ? 0 : before + 1);
}

std::string work_line(const std::string& category, uint64_t parameters, uint64_t flops) {
  std::string line = category.empty() ? "" : ", " + escaped(category, 60);
  if (parameters > 0) line += ", " + count_text(parameters) + " parameters";
  if (flops > 0) line += ", " + count_text(flops) + " operations per run";
  return line;
}

std::string model_line(const RunDocument& document, const PlannerInput* input) {
  if (document.model == nullptr) {
    std::string line = "model " + code(document.plan->model_digest);
    if (input != nullptr)
      line += "<br>" + escaped(input->model.format, 60) + work_line(input->model.category, 0, input->model.flops);
    return line;
  }
  const Model& model = *document.model;
  std::string line = escaped(model.format_name());
  if (const auto summary = model.summary()) line += work_line(summary->category, summary->parameter_count, summary->flops);
  return line + "<br>" + code(model.digest());
}

std::string tile(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"tile\"><b class=\"num\">{}</b><span>{}</span></div>", escaped(value), escaped(what));
}

std::string place_tiles(const Partition& part) {
  std::string out =
      tile(part.candidate.engine, part.engine_version.empty() ? "engine" : "engine, " + plain(part.engine_version, 60));
  out += tile(part.candidate.resource,
              std::string(resource_kind_name(part.resource_kind)) + (part.simulated ? ", simulated" : ""));
  return out + tile(part.candidate.precision,
                    fmt::format("precision, {} thread{}", part.candidate.threads, part.candidate.threads == 1 ? "" : "s"));
}

std::string mixed_tiles(const Plan& plan) {
  std::set<std::string> engines, resources;
  for (const Partition& part : plan.partitions) {
    engines.insert(part.candidate.engine);
    resources.insert(part.candidate.resource + (part.simulated ? " (simulated)" : ""));
  }
  const char* how = plan.schedule == "pipeline"   ? "partitions, each busy with a request of its own"
                    : plan.schedule == "split"    ? "partitions, one after the other, each on a resource of its own"
                    : plan.each == "pipeline"     ? "partitions, in pipelines that serve side by side"
                    : plan.each == "split"        ? "partitions, in splits that serve side by side"
                    : plan.schedule == "replicas" ? "partitions, in replicas that serve side by side"
                    : plan.schedule == "hybrid"   ? "partitions, some for a low load and some for a high one"
                                                  : "partitions, one after the other";
  return tile(std::to_string(plan.partitions.size()), how) +
         tile(fmt::format("{}", fmt::join(engines, ", ")), engines.size() == 1 ? "engine" : "engines") +
         tile(fmt::format("{}", fmt::join(resources, ", ")), resources.size() == 1 ? "resource" : "resources");
}

std::string tiles(const RunDocument& document) {
  const Plan& plan = *document.plan;
  const Partition& first = plan.partitions.front();
  std::string out;
  if (plan.expected_ns > 0) {
    const std::string unit = plan.schedule == "hybrid"                               ? "per run under a low load"
                             : plan.schedule == "single" || plan.schedule == "split" ? "per run"
                                                                                     : "per request when all are busy";
    out += tile(format_duration(plan.expected_ns),
                unit + (first.expected_from_evidence ? ", measured here" : ", an estimate: not measured"));
  }
  if (document.run_ns > 0) out += tile(format_duration(document.run_ns), "the recorded run, recording included");
  out += plan.partitions.size() == 1 ? place_tiles(first) : mixed_tiles(plan);
  if (plan.batching.on())
    out += tile(std::to_string(plan.batching.rows),
                fmt::format("rows of requests at most that wait together are computed together, {} run{} at a time",
                            plan.batching.runs, plan.batching.runs == 1 ? "" : "s"));
  const auto timed = std::count_if(plan.decisions.begin(), plan.decisions.end(),
                                   [](const Decision& d) { return d.evidence && d.evidence->p50_ns > 0; });
  out += tile(std::to_string(plan.decisions.size()), fmt::format("candidates looked at, {} of them timed", timed));
  return "<div class=\"tiles\">" + out + "</div>\n";
}

std::string lead(const Plan& plan) {
  std::string names;
  if (plan.partitions.size() <= kMostNamed) {
    int32_t replica = 0;
    for (const Partition& part : plan.partitions) {
      names += (names.empty()              ? "as "
                : part.replica != replica  ? ", beside "
                : part.load == Load::kHigh ? ", under a high load "
                                           : ", then ") +
               code(part.candidate.format());
      replica = part.replica;
    }
  } else {
    names = fmt::format("in {} partitions", plan.partitions.size());
  }
  const Decision* chosen = chosen_of(plan);
  return "<p class=\"lead\">Runs " + names + (chosen == nullptr ? "" : ": " + escaped(chosen->reason)) + ".</p>\n";
}

std::string ledger(const Plan& plan) {
  std::string out;
  for (const Substitution& taken : plan.substitutions) {
    out += fmt::format("<div class=\"card warn\">{} runs instead of {}, allowed by {}: {}</div>\n", code(taken.got),
                       code(taken.wanted), code(taken.allowed_by), escaped(taken.reason));
  }
  std::string notes;
  for (const std::string& note : plan.notes) notes += "<li>" + escaped(note) + "</li>\n";
  if (!notes.empty())
    out += folded(fmt::format("{} note{}", plan.notes.size(), plan.notes.size() == 1 ? "" : "s"), "<ul>" + notes + "</ul>");
  return out;
}

std::string options_of(const Partition& part) {
  std::string options;
  for (const auto& [name, value] : part.options) options += escaped(name, 200) + " = " + escaped(value, 400) + "\n";
  for (const int32_t cpu : part.cpu_set) options += (cpu == part.cpu_set.front() ? "cpus = " : ", ") + std::to_string(cpu);
  return options.empty() ? ""
                         : "<details><summary class=\"dim\">options in force</summary><pre>" + options + "</pre></details>";
}

std::string badges_of(const Partition& part) {
  std::string out;
  if (part.simulated) out += " <span class=\"badge amber\">simulated</span>";
  if (part.isolated) out += " <span class=\"badge dim\">own process</span>";
  if (part.expected_ns > 0 && !part.expected_from_evidence) out += " <span class=\"badge amber\">estimate</span>";
  return out;
}

std::string nodes_of(const Partition& part) {
  if (part.nodes.empty()) return "the whole model";
  return fmt::format("{} node{}", part.nodes.size(), part.nodes.size() == 1 ? "" : "s");
}

std::string partition_card(const PageFacts& facts, size_t index) {
  const Partition& part = facts.plan->partitions[index];
  return fmt::format("<div class=\"card edge {}\"><b>{}</b>{}<br>{}<br><span class=\"dim\">{}{}</span>{}</div>",
                     partition_class(facts, static_cast<int32_t>(index)),
                     facts.plan->partitions.size() == 1 ? "one partition" : fmt::format("partition {}", part.id),
                     badges_of(part), code(part.candidate.format()), nodes_of(part),
                     part.expected_ns > 0 ? ", " + format_duration(part.expected_ns) : "", options_of(part));
}

// For plans of many parts.
std::string partition_table(const PageFacts& facts) {
  std::string rows;
  for (size_t i = 0; i < facts.plan->partitions.size() && i < kMostRows; ++i) {
    const Partition& part = facts.plan->partitions[i];
    rows += fmt::format(
        "<tr><td><i class=\"dot {}\"></i>{}</td><td>{}{}{}</td><td class=\"r\">{}</td><td class=\"r\">{}</td></tr>\n",
        partition_class(facts, static_cast<int32_t>(i)), part.id, code(part.candidate.format()), badges_of(part),
        options_of(part), nodes_of(part), part.expected_ns > 0 ? format_duration(part.expected_ns) : "");
  }
  std::string out =
      scrolled_table("<th>partition</th><th>runs on</th><th class=\"r\">nodes</th><th class=\"r\">time</th>", rows);
  if (facts.plan->partitions.size() > kMostRows)
    out += fmt::format("<p>... and {} more</p>", facts.plan->partitions.size() - kMostRows);
  return out;
}

// "a:f32[1];b:f32[2]", one line each.
std::string shapes_html(const std::string& shapes) {
  if (shapes.empty()) return "shapes as the model declares";
  std::string out = escaped(shapes, 4000);
  for (size_t at = 0; (at = out.find("];", at)) != std::string::npos; at += 5) out.replace(at, 2, "]<br>");
  return out;
}

// Caller, partitions in order, caller; each arrow says what crosses it.
std::string flow(const PageFacts& facts) {
  const Plan& plan = *facts.plan;
  if (plan.partitions.size() > kMostCards) return partition_table(facts);
  const auto bytes_between = [&](int32_t from, int32_t to) {
    uint64_t bytes = 0;
    for (const Transfer& transfer : plan.transfers) {
      if (transfer.from_partition == from && transfer.to_partition == to) bytes += transfer.bytes;
    }
    return bytes == 0 ? std::string() : " " + format_size(bytes);
  };
  const auto arrow = [](const std::string& text) { return "<div class=\"arrow\"><i>&rarr;</i>" + text + "</div>"; };
  std::string out = "<div class=\"flow\"><div class=\"card\"><b>inputs</b><br><span class=\"dim\">" +
                    shapes_html(plan.judged_shapes) + "</span></div>";
  int32_t before = -1;
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    const Partition& part = plan.partitions[i];
    const bool other_load = i > 0 && part.load != plan.partitions[i - 1].load;
    const bool beside = i > 0 && part.replica != plan.partitions[i - 1].replica;
    out += other_load ? fmt::format("<div class=\"arrow\">from {} requests in flight</div>", plan.switch_at)
           : beside   ? fmt::format("<div class=\"arrow\">or replica {}</div>", part.replica)
                      : arrow(bytes_between(before, part.id));
    out += partition_card(facts, i);
    before = part.id;
  }
  return out + arrow(bytes_between(before, -1)) + "<div class=\"card\"><b>outputs</b></div></div>\n";
}

std::string background(const RunDocument& document, const PlannerInput* input) {
  std::string out;
  if (document.policy != nullptr) {
    const std::string toml = format_policy(*document.policy);
    out += folded("Policy", toml.empty() ? "<p>The defaults.</p>" : "<pre>" + escaped(toml, 100'000) + "</pre>");
  }
  const Machine* shown = document.machine != nullptr ? document.machine : input != nullptr ? &input->machine : nullptr;
  if (shown != nullptr) {
    const Machine& machine = *shown;
    std::string body =
        fmt::format("<p>{} ({}), {} of {} logical CPUs, {}</p><p class=\"dim\">{}</p>", escaped(machine.cpu_model, 200),
                    escaped(machine.architecture, 60), machine.allowed_cpus.size(), machine.cpus.size(),
                    format_size(machine.memory_bytes), code(machine.fingerprint()));
    for (const Resource& resource : machine.resources) {
      body += fmt::format("<p>{} {}{}</p>", code(resource.id), escaped(resource.name, 200),
                          resource.simulated ? " <span class=\"badge amber\">simulated</span>" : "");
    }
    out += folded("Machine", body);
  }
  return out;
}

// Links to the sections that are there.
std::string contents(const std::vector<std::pair<std::string, std::string>>& sections) {
  std::string out;
  for (const auto& [id, heading] : sections) out += fmt::format("<a href=\"#{}\">{}</a>", id, escaped(heading));
  return "<nav aria-label=\"Sections\">" + out + "</nav>\n";
}

}  // namespace

Result<std::string> plan_page(const RunDocument& document, const PlannerInput* input, const TraceLog* log) {
  if (document.plan == nullptr || document.plan->partitions.empty()) return invalid_argument_error("there is no plan to show");
  const Plan& plan = *document.plan;
  const PageFacts facts = page_facts(plan, input, log);
  const std::string title = plain(title_of(document), 200);
  std::vector<std::pair<std::string, std::string>> links;
  std::string sections;
  const auto add = [&](const std::string& id, const std::string& heading, const std::string& body) {
    if (!body.empty()) links.emplace_back(id, heading);
    sections += section(id, heading, body);
  };
  add("plan", "How it runs", flow(facts) + transfers(facts) + ledger(plan));
  add("graph", "Graph", graph(facts));
  add("candidates", "Candidates", candidates(facts));
  add("timeline", "Timeline", timeline(facts));
  add("roofline", "Roofline", roofline(facts));
  add("memory", "Memory", memory(facts));
  add("nodes", "Nodes that stopped a candidate", node_reasons(plan));
  add("background", "Decided for", background(document, input));
  std::string body = "<h1>" + escaped(title) + "</h1>\n<p class=\"dim\">" + model_line(document, input) + "</p>\n";
  body += lead(plan) + tiles(document) + contents(links) + sections;
  body += fmt::format("<footer>axle, plan {}</footer>\n", code(plan.digest()));
  return page(title + " - axle", body);
}

}  // namespace html

Result<std::string> render_plan_html(const RunDocument& document, const PlanPage& page) {
  const TraceLog* log = nullptr;
  TraceLog recorded;
  if (page.recorded != nullptr) {
    const Session::Impl& impl = page.recorded->impl();
    if (!impl.recorder) {
      return failed_precondition_error("this session records nothing").with_hint("create it with profile = true");
    }
    recorded = impl.recorder->log();
    log = &recorded;
  }
  if (page.input_json.empty()) return html::plan_page(document, nullptr, log);
  AXLE_ASSIGN_OR_RETURN(const PlannerInput input, parse_planner_input(page.input_json));
  return html::plan_page(document, &input, log);
}

}  // namespace axle
