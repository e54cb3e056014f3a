// The one-page report of a plan: what runs, how fast, against which candidates, and why nothing else.
#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
#include "explain/html.h"
#include "runtime/session_impl.h"

namespace axle {
namespace {

using html::code;
using html::escaped;

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
  const std::string trimmed = path.substr(0, last + 1);
  // The folder is part of the name when the file says nothing: "resnet/model.onnx".
  const size_t slash = trimmed.rfind('/');
  if (slash == std::string::npos || slash == 0) return trimmed;
  const size_t before = trimmed.rfind('/', slash - 1);
  return trimmed.substr(before == std::string::npos ? 0 : before + 1);
}

std::string count_text(uint64_t count) {
  const auto value = static_cast<double>(count);
  if (count < 10'000) return std::to_string(count);
  if (count < 1'000'000) return fmt::format("{:.3g} thousand", value / 1e3);
  if (count < 1'000'000'000) return fmt::format("{:.3g} million", value / 1e6);
  return fmt::format("{:.3g} billion", value / 1e9);
}

std::string model_line(const RunDocument& document) {
  if (document.model == nullptr) return "model " + code(document.plan->model_digest);
  const Model& model = *document.model;
  std::string line = escaped(model.format_name());
  if (const auto summary = model.summary()) {
    line += ", " + escaped(summary->category);
    if (summary->parameter_count > 0) line += ", " + count_text(summary->parameter_count) + " parameters";
    if (summary->flops > 0) line += ", " + count_text(summary->flops) + " operations per run";
  }
  return line + "<br>" + code(model.digest());
}

std::string tile(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"tile\"><b class=\"num\">{}</b><span>{}</span></div>", escaped(value), escaped(what));
}

std::string tiles(const RunDocument& document) {
  const Plan& plan = *document.plan;
  const Partition& first = plan.partitions.front();
  std::string out;
  if (plan.expected_ns > 0) {
    out += tile(format_duration(plan.expected_ns),
                first.expected_from_evidence ? "per run, measured here" : "per run, an estimate: not measured");
  }
  if (document.run_ns > 0) out += tile(format_duration(document.run_ns), "the recorded run, recording included");
  out += tile(first.candidate.engine, first.engine_version.empty() ? "engine" : "engine, " + first.engine_version);
  out += tile(first.candidate.resource,
              std::string(resource_kind_name(first.resource_kind)) + (first.simulated ? ", simulated" : ""));
  out += tile(first.candidate.precision,
              fmt::format("precision, {} thread{}", first.candidate.threads, first.candidate.threads == 1 ? "" : "s"));
  const auto timed = std::count_if(plan.decisions.begin(), plan.decisions.end(),
                                   [](const Decision& d) { return d.evidence && d.evidence->p50_ns > 0; });
  out += tile(std::to_string(plan.decisions.size()), fmt::format("candidates looked at, {} of them timed", timed));
  return "<div class=\"tiles\">" + out + "</div>\n";
}

std::string lead(const Plan& plan) {
  std::string names;
  for (const Partition& part : plan.partitions) names += (names.empty() ? "" : ", then ") + code(part.candidate.format());
  const Decision* chosen = chosen_of(plan);
  return "<p class=\"lead\">Runs as " + names + (chosen == nullptr ? "" : ": " + escaped(chosen->reason)) + ".</p>\n";
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
    out +=
        html::folded(fmt::format("{} note{}", plan.notes.size(), plan.notes.size() == 1 ? "" : "s"), "<ul>" + notes + "</ul>");
  return out;
}

std::string partition_card(const Partition& part) {
  std::string body = fmt::format("<div class=\"card\">{}{}<br><span class=\"dim\">{}{}</span>", code(part.candidate.format()),
                                 part.simulated ? " <span class=\"badge amber\">simulated</span>" : "",
                                 part.nodes.empty() ? "the whole model" : fmt::format("{} nodes", part.nodes.size()),
                                 part.expected_ns > 0 ? ", " + format_duration(part.expected_ns) : "");
  std::string options;
  for (const auto& [name, value] : part.options) options += escaped(name) + " = " + escaped(value) + "\n";
  for (const int32_t cpu : part.cpu_set) options += (cpu == part.cpu_set.front() ? "cpus = " : ", ") + std::to_string(cpu);
  if (!options.empty())
    body += "<details><summary class=\"dim\">options in force</summary><pre>" + options + "</pre></details>";
  return body + "</div>";
}

// "a:f32[1];b:f32[2]", one line each.
std::string shapes_html(const std::string& shapes) {
  if (shapes.empty()) return "shapes as the model declares";
  std::string out = escaped(shapes);
  for (size_t at = 0; (at = out.find("];", at)) != std::string::npos; at += 5) out.replace(at, 2, "]<br>");
  return out;
}

// Caller, partitions in order, caller; each arrow says what crosses it.
std::string flow(const Plan& plan) {
  const auto bytes_between = [&](int32_t from, int32_t to) {
    uint64_t bytes = 0;
    for (const Transfer& transfer : plan.transfers) {
      if (transfer.from_partition == from && transfer.to_partition == to) bytes += transfer.bytes;
    }
    return bytes == 0 ? std::string() : " " + format_size(bytes);
  };
  const auto arrow = [](const std::string& text) { return "<div class=\"arrow\">&rarr;" + text + "</div>"; };
  std::string out = "<div class=\"flow\"><div class=\"card\">inputs<br><span class=\"dim\">" + shapes_html(plan.judged_shapes) +
                    "</span></div>";
  int32_t before = -1;
  for (const Partition& part : plan.partitions) {
    out += arrow(bytes_between(before, part.id)) + partition_card(part);
    before = part.id;
  }
  return out + arrow(bytes_between(before, -1)) + "<div class=\"card\">outputs</div></div>\n";
}

std::string background(const RunDocument& document) {
  std::string out;
  if (document.policy != nullptr) {
    const std::string toml = format_policy(*document.policy);
    out += html::folded("Policy", toml.empty() ? "<p>The defaults.</p>" : "<pre>" + escaped(toml) + "</pre>");
  }
  if (document.machine != nullptr) {
    const Machine& machine = *document.machine;
    std::string body = fmt::format("<p>{} ({}), {} of {} logical CPUs, {}</p><p class=\"dim\">{}</p>",
                                   escaped(machine.cpu_model), escaped(machine.architecture), machine.allowed_cpus.size(),
                                   machine.cpus.size(), format_size(machine.memory_bytes), code(machine.fingerprint()));
    for (const Resource& resource : machine.resources) {
      body += fmt::format("<p>{} {}</p>", code(resource.id), escaped(resource.name));
    }
    out += html::folded("Machine", body);
  }
  return out;
}

}  // namespace

Result<std::string> render_plan_html(const RunDocument& document, const Session* recorded) {
  if (document.plan == nullptr || document.plan->partitions.empty()) return invalid_argument_error("there is no plan to show");
  const Plan& plan = *document.plan;
  const std::string title = title_of(document);
  std::string body = "<h1>" + escaped(title) + "</h1>\n<p class=\"dim\">" + model_line(document) + "</p>\n";
  body += lead(plan) + tiles(document);
  body += html::section("How it runs", flow(plan) + ledger(plan));
  body += html::section("Candidates", html::candidates(plan));
  body += html::section("Nodes that stopped a candidate", html::node_reasons(plan));
  if (recorded != nullptr) {
    const Session::Impl& impl = recorded->impl();
    if (!impl.recorder) {
      return failed_precondition_error("this session records nothing").with_hint("create it with profile = true");
    }
    body += html::section("Timeline", html::timeline(impl.recorder->log()));
  }
  body += html::section("Decided for", background(document));
  body += fmt::format("<footer>axle, plan {}</footer>\n", code(plan.digest()));
  return html::page(title + " - axle", body);
}

}  // namespace axle
