// The candidates of a plan as rows with bars, and the nodes that stopped some of them.
#include <fmt/format.h>

#include <algorithm>

#include "axle/explain.h"
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
};

Scale scale_of(const Plan& plan) {
  Scale scale;
  for (const Decision& decision : plan.decisions) {
    if (decision.verdict == DecisionVerdict::kChosen) scale.chosen_ns = time_of(decision);
    scale.full_ns = std::max(scale.full_ns, time_of(decision));
  }
  // One that is far behind must not press the others together.
  if (scale.chosen_ns > 0) scale.full_ns = std::min(scale.full_ns, 6 * scale.chosen_ns);
  return scale;
}

std::string bar(const Decision& decision, const Scale& scale) {
  const auto full = static_cast<double>(scale.full_ns);
  const char* color = decision.verdict == DecisionVerdict::kChosen ? "var(--accent)"
                      : decision.verdict == DecisionVerdict::kTie  ? "var(--warn)"
                                                                   : "var(--bar)";
  std::string svg =
      fmt::format("<svg class=\"bar\" aria-hidden=\"true\"><rect y=\"2\" height=\"10\" rx=\"2\" width=\"{}\" fill=\"{}\"/>",
                  percent(static_cast<double>(time_of(decision)), full), color);
  const EvidenceSummary& evidence = *decision.evidence;
  if (evidence.interval_high > 0 && scale.chosen_ns > 0) {
    const auto chosen = static_cast<double>(scale.chosen_ns);
    const std::string low = percent(evidence.interval_low * chosen, full),
                      high = percent(evidence.interval_high * chosen, full);
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"7\" y2=\"7\" stroke=\"var(--ink)\"/><line x1=\"{0}\" x2=\"{0}\" y1=\"3\" y2=\"11\" "
        "stroke=\"var(--ink)\"/><line x1=\"{1}\" x2=\"{1}\" y1=\"3\" y2=\"11\" stroke=\"var(--ink)\"/>",
        low, high);
  }
  return svg + "</svg>";
}

std::string figures(const Decision& decision, const Scale& scale) {
  if (time_of(decision) == 0) {
    if (decision.estimate_ns == 0) return "";
    return fmt::format("<span class=\"dim num\">about {} by estimate</span>", format_duration(decision.estimate_ns));
  }
  const EvidenceSummary& evidence = *decision.evidence;
  std::string text = fmt::format("<span class=\"num\">{}", format_duration(evidence.p50_ns));
  if (decision.verdict != DecisionVerdict::kChosen && evidence.interval_high > 0) {
    text += fmt::format(" <span class=\"dim\">{:.2f}x to {:.2f}x</span>", evidence.interval_low, evidence.interval_high);
  } else if (decision.verdict != DecisionVerdict::kChosen && scale.chosen_ns > 0) {
    text += fmt::format(" <span class=\"dim\">{:.2f}x</span>",
                        static_cast<double>(evidence.p50_ns) / static_cast<double>(scale.chosen_ns));
  }
  text += "</span>" + bar(decision, scale);
  std::string small = evidence.runs > 0 ? fmt::format("{} runs", evidence.runs) : "a first look only";
  if (evidence.error) small += fmt::format(", error {:.1e}", evidence.error->max_relative);
  if (evidence.stale) small += ", no longer current";
  return text + "<span class=\"dim\">" + small + "</span>";
}

std::string row(const Decision& decision, const Scale& scale) {
  return fmt::format(
      "<div class=\"row{}\"><div>{}<br><span class=\"badge {}\">{}</span></div><div>{}</div><div>{}</div></div>\n",
      decision.verdict == DecisionVerdict::kChosen ? " chosen" : "", code(decision.candidate), badge_class(decision.verdict),
      decision_word(decision), figures(decision, scale), escaped(decision.reason));
}

std::string rows(const std::string& inner) { return inner.empty() ? "" : "<div class=\"rows\">" + inner + "</div>\n"; }

}  // namespace

std::string candidates(const Plan& plan) {
  const Scale scale = scale_of(plan);
  std::string compared, unmeasured, refused;
  size_t unmeasured_count = 0, refused_count = 0;
  for (const Decision& decision : plan.decisions) {
    if (decision.verdict == DecisionVerdict::kChosen || time_of(decision) > 0) {
      compared += row(decision, scale);
    } else if (decision.estimate_ns > 0) {
      unmeasured += row(decision, scale);
      ++unmeasured_count;
    } else {
      refused += row(decision, scale);
      ++refused_count;
    }
  }
  std::string out = rows(compared);
  const bool intervals = compared.find("<line") != std::string::npos;
  if (scale.full_ns > 0) {
    out += std::string("<p class=\"dim\">Bars: median time per run, cut at six times the chosen one.") +
           (intervals ? " Whiskers: 95 % interval of the paired ratio to the chosen one." : "") + "</p>\n";
  }
  if (unmeasured_count > 0) out += folded(fmt::format("{} never timed here", unmeasured_count), rows(unmeasured));
  if (refused_count > 0) out += folded(fmt::format("{} turned down before timing", refused_count), rows(refused));
  return out;
}

std::string node_reasons(const Plan& plan) {
  std::string out;
  for (const Decision& decision : plan.decisions) {
    if (decision.nodes.empty()) continue;
    std::string body = "<div class=\"scroll\"><table><tr><th>node</th><th>operator</th><th>code</th><th>why</th></tr>\n";
    for (size_t i = 0; i < decision.nodes.size() && i < kMostNodes; ++i) {
      const NodeReason& node = decision.nodes[i];
      body += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", code(node.node), code(node.op),
                          escaped(node.code), escaped(node.reason));
    }
    body += "</table></div>";
    if (decision.nodes.size() > kMostNodes) body += fmt::format("<p>... and {} more</p>", decision.nodes.size() - kMostNodes);
    out += folded(fmt::format("{} <span class=\"dim\">{}{} node{}</span>", code(decision.candidate),
                              decision.nodes.size() >= kMostNodesOfDecision ? "the first " : "", decision.nodes.size(),
                              decision.nodes.size() == 1 ? "" : "s"),
                  body);
  }
  return out;
}

}  // namespace axle::html
