// The candidates of a plan as a table with bars, and the nodes that stopped some of them.
#include <fmt/format.h>

#include <algorithm>

#include "explain/decision_words.h"
#include "explain/html.h"

namespace axle::html {
namespace {

constexpr size_t kMostNodes = 500;
constexpr size_t kMostNodesOfDecision = 100;  // a plan keeps no more

const char* badge_class(DecisionVerdict verdict) {
  switch (verdict) {
    case DecisionVerdict::kChosen: return "accent";
    case DecisionVerdict::kTie: return "amber";
    case DecisionVerdict::kFailed: return "bad";
    case DecisionVerdict::kRejected:
    case DecisionVerdict::kNotMeasured: break;
  }
  return "dim";
}

int64_t time_of(const Decision& decision) {
  return decision.evidence && decision.evidence->p50_ns > 0 ? decision.evidence->p50_ns : 0;
}

// What bars are drawn against.
struct Scale {
  int64_t chosen_ns = 0;
  int64_t full_ns = 0;
  double full() const { return static_cast<double>(full_ns); }
};

Scale scale_of(const Plan& plan) {
  Scale scale;
  for (const Decision& decision : plan.decisions) {
    const int64_t ns = time_of(decision) > 0 ? time_of(decision) : decision.estimate_ns;
    if (decision.verdict == DecisionVerdict::kChosen) scale.chosen_ns = ns;
    scale.full_ns = std::max(scale.full_ns, ns);
  }
  // One that is far behind must not press the others together.
  if (scale.chosen_ns > 0) scale.full_ns = std::min(scale.full_ns, 6 * scale.chosen_ns);
  return scale;
}

std::string whiskers(const EvidenceSummary& evidence, const Scale& scale) {
  if (evidence.interval_high <= 0 || scale.chosen_ns <= 0) return "";
  const auto chosen = static_cast<double>(scale.chosen_ns);
  return fmt::format(
      "<g class=\"whisker\"><line x1=\"{0}\" x2=\"{1}\" y1=\"9\" y2=\"9\"/><line x1=\"{0}\" x2=\"{0}\" y1=\"4\" "
      "y2=\"14\"/><line "
      "x1=\"{1}\" x2=\"{1}\" y1=\"4\" y2=\"14\"/></g>",
      percent(evidence.interval_low * chosen, scale.full()), percent(evidence.interval_high * chosen, scale.full()));
}

// The time as a bar: full = measured, hollow = estimate; whiskers and a mark where the chosen one ends.
std::string bar(const Decision& decision, const Scale& scale) {
  const int64_t measured_ns = time_of(decision);
  const int64_t ns = measured_ns > 0 ? measured_ns : decision.estimate_ns;
  if (ns == 0 || scale.full_ns == 0) return "";
  const char* look = measured_ns == 0                               ? "hollow"
                     : decision.verdict == DecisionVerdict::kChosen ? "b-chosen"
                     : decision.verdict == DecisionVerdict::kTie    ? "b-tie"
                                                                    : "b-other";
  std::string svg = fmt::format(
      "<svg class=\"bar tall\" aria-hidden=\"true\"><rect class=\"{}\" y=\"3\" height=\"12\" rx=\"2\" width=\"{}\"/>", look,
      percent(static_cast<double>(ns), scale.full()));
  if (decision.evidence && measured_ns > 0) svg += whiskers(*decision.evidence, scale);
  if (scale.chosen_ns > 0) {
    svg += fmt::format("<line class=\"mark\" x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"18\"/>",
                       percent(static_cast<double>(scale.chosen_ns), scale.full()));
  }
  return svg + "</svg>";
}

std::string ratio_text(const Decision& decision, const Scale& scale) {
  if (decision.verdict == DecisionVerdict::kChosen) return "";
  const EvidenceSummary& evidence = *decision.evidence;
  if (evidence.interval_high > 0) {
    return fmt::format(" <span class=\"dim\">{:.2f}x to {:.2f}x</span>", evidence.interval_low, evidence.interval_high);
  }
  if (scale.chosen_ns <= 0) return "";
  return fmt::format(" <span class=\"dim\">{:.2f}x</span>",
                     static_cast<double>(evidence.p50_ns) / static_cast<double>(scale.chosen_ns));
}

std::string figures(const Decision& decision, const Scale& scale) {
  if (time_of(decision) == 0) {
    if (decision.estimate_ns == 0) return "<span class=\"dim\">\u2013</span>";
    return fmt::format("<span class=\"num\">{}</span> <span class=\"badge amber\">estimate</span>{}",
                       format_duration(decision.estimate_ns), bar(decision, scale));
  }
  const EvidenceSummary& evidence = *decision.evidence;
  std::string text = fmt::format("<span class=\"num\">{}{}</span>{}", format_duration(evidence.p50_ns),
                                 ratio_text(decision, scale), bar(decision, scale));
  std::string small = evidence.runs > 0 ? fmt::format("{} runs", evidence.runs) : "a first look only";
  if (evidence.p95_ns > 0) small += ", p95 " + format_duration(evidence.p95_ns);
  if (evidence.error) {
    const double error = evidence.error->max_relative;
    small += error > 0 ? fmt::format(", error {:.1e}", error) : std::string(", no error");
  }
  if (evidence.stale) small += ", " + escaped(evidence.stale_reason);
  return text + "<span class=\"dim small\">" + small + "</span>";
}

std::string row(const PageFacts& facts, const Decision& decision, const Scale& scale, size_t rank) {
  const int64_t ns = time_of(decision) > 0 ? time_of(decision) : decision.estimate_ns;
  std::string badges =
      fmt::format("<span class=\"badge {}\">{}</span>", badge_class(decision.verdict), decision_word(decision));
  if (is_simulated(facts, decision.candidate)) badges += " <span class=\"badge amber\">simulated</span>";
  if (decision.evidence && decision.evidence->stale) badges += " <span class=\"badge amber\">old evidence</span>";
  return fmt::format(
      "<tr class=\"{}\" data-verdict=\"{}\" data-rank=\"{}\" "
      "data-ns=\"{}\"><td>{}</td><td>{}</td><td>{}</td><td>{}{}</td></tr>\n",
      decision.verdict == DecisionVerdict::kChosen ? "chosen" : "", decision_word(decision), rank, ns > 0 ? ns : INT64_MAX,
      code(decision.candidate), badges, figures(decision, scale), escaped(decision.reason),
      decision.verdict != DecisionVerdict::kRejected || decision.code.empty()
          ? ""
          : fmt::format(" <span class=\"dim small\">{}</span>", escaped(decision.code, 60)));
}

// Timed ones first, then those with an estimate, then what was turned down before; within each as the plan has them.
std::vector<const Decision*> ordered(const Plan& plan) {
  std::vector<const Decision*> order;
  for (const Decision& decision : plan.decisions) order.push_back(&decision);
  const auto group = [](const Decision* decision) {
    if (decision->verdict == DecisionVerdict::kChosen || time_of(*decision) > 0) return 0;
    return decision->estimate_ns > 0 ? 1 : 2;
  };
  std::stable_sort(order.begin(), order.end(), [&](const Decision* a, const Decision* b) { return group(a) < group(b); });
  return order;
}

// A button for each verdict that occurs, in the order in which they do.
std::string filters(const std::vector<const Decision*>& order) {
  std::vector<std::pair<std::string_view, size_t>> counts;
  for (const Decision* decision : order) {
    const std::string_view word = decision_word(*decision);
    const auto found = std::find_if(counts.begin(), counts.end(), [&](const auto& entry) { return entry.first == word; });
    if (found == counts.end())
      counts.emplace_back(word, 1);
    else
      ++found->second;
  }
  std::string out = fmt::format(
      "<div class=\"tools js-only\" role=\"group\" aria-label=\"Show\"><button type=\"button\" data-show=\"\" "
      "aria-pressed=\"true\">all <span class=\"dim\">{}</span></button>",
      order.size());
  for (const auto& [word, count] : counts) {
    out += fmt::format(
        "<button type=\"button\" data-show=\"{0}\" aria-pressed=\"false\">{0} <span class=\"dim\">{1}</span></button>", word,
        count);
  }
  return out + "</div>\n";
}

}  // namespace

std::string candidates(const PageFacts& facts) {
  const Plan& plan = *facts.plan;
  if (plan.decisions.empty()) return "";
  const Scale scale = scale_of(plan);
  const std::vector<const Decision*> order = ordered(plan);
  std::string rows;
  for (size_t i = 0; i < order.size(); ++i) rows += row(facts, *order[i], scale, i);
  std::string out = filters(order);
  out +=
      "<div class=\"scroll cards\"><table id=\"candidates-table\"><thead><tr><th><button type=\"button\" "
      "data-sort=\"name\">candidate</button></th><th><button type=\"button\" data-sort=\"verdict\">verdict</button></th><th>"
      "<button type=\"button\" data-sort=\"ns\">time per run</button></th><th><button type=\"button\" "
      "data-sort=\"rank\">why</button></th></tr></thead><tbody>\n" +
      rows + "</tbody></table></div>\n";
  if (scale.full_ns > 0) {
    const bool intervals = rows.find("whisker") != std::string::npos;
    out +=
        std::string(
            "<p class=\"dim\">Bars: median time per run, cut at six times the chosen one, which the dotted line marks; hollow "
            "= estimate, never timed here.") +
        (intervals ? " Whiskers: 95 % interval of the paired ratio to the chosen one." : "") + "</p>\n";
  }
  return out;
}

std::string node_reasons(const Plan& plan) {
  std::string out;
  for (const Decision& decision : plan.decisions) {
    if (decision.nodes.empty()) continue;
    std::string rows;
    for (size_t i = 0; i < decision.nodes.size() && i < kMostNodes; ++i) {
      const NodeReason& node = decision.nodes[i];
      rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", code(node.node), code(node.op),
                          escaped(node.code, 60), escaped(node.reason, 1000));
    }
    std::string body = scrolled_table("<th>node</th><th>operator</th><th>code</th><th>why</th>", rows);
    if (decision.nodes.size() > kMostNodes) body += fmt::format("<p>... and {} more</p>", decision.nodes.size() - kMostNodes);
    out += folded(fmt::format("{} <span class=\"dim\">{}{} node{}</span>", code(decision.candidate),
                              decision.nodes.size() >= kMostNodesOfDecision ? "the first " : "", decision.nodes.size(),
                              decision.nodes.size() == 1 ? "" : "s"),
                  body);
  }
  return out;
}

}  // namespace axle::html
