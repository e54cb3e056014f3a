// The roofline plot (S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 2009): what the machine could do at each intensity,
// as the cost model estimates it, and where the nodes and partitions of the plan stand.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "explain/html.h"
#include "planner/precision.h"

namespace axle::html {
namespace {

constexpr size_t kMostPoints = 300;
constexpr double kLabelHeight = 13;
constexpr double kHeight = 300;  // of the plot, in pixels; its width is the page's

// One limit of a resource: what it computes and moves at most.
struct Roof {
  int32_t place = -1;  // -1: several engines share it
  std::string resource;
  std::string precisions;  // that share it: "f32, f16"
  bool used = false;  // a partition runs at one of them
  double flops_per_s = 0, bytes_per_s = 0;
};

struct Point {
  int32_t box = -1;  // -1: a whole partition
  int32_t partition = -1;
  std::string name;
  double intensity = 0;  // FLOP per byte
  double flops_per_s = 0;
  double share = 0;  // of the work of the model
  bool measured = false;
};

struct Axes {
  double low_x, high_x, low_y, high_y;  // powers of ten
  double x(double intensity) const { return 100 * (std::log10(intensity) - low_x) / (high_x - low_x); }
  double y(double rate) const { return kHeight - kHeight * (std::log10(rate) - low_y) / (high_y - low_y); }
};

std::set<std::string> precisions_at(const PageFacts& facts, const Candidate& on) {
  std::set<std::string> out = {on.precision};
  const EngineFacts* engine = find_engine(*facts.input, on.engine);
  const CapabilityFacts* capability = engine == nullptr ? nullptr : find_capability(*engine, on.resource);
  if (capability != nullptr) {
    for (const PrecisionSpec& precision : capability->capability.precisions) out.insert(precision.name);
  }
  return out;
}

// The place of every partition on that resource; -1 when several engines share it.
int32_t place_at(const PageFacts& facts, const Candidate& on) {
  int32_t place = -1;
  for (size_t i = 0; i < facts.plan->partitions.size(); ++i) {
    if (facts.plan->partitions[i].candidate.resource != on.resource) continue;
    if (place >= 0 && place != facts.place_of_partition[i]) return -1;
    place = facts.place_of_partition[i];
  }
  return place;
}

bool runs_at(const Plan& plan, const Candidate& on) {
  return std::any_of(plan.partitions.begin(), plan.partitions.end(), [&](const Partition& part) {
    return part.candidate.resource == on.resource && part.candidate.precision == on.precision;
  });
}

std::vector<Roof> roofs_of(const PageFacts& facts) {
  std::vector<Roof> roofs;
  std::set<std::pair<std::string, int32_t>> seen;
  for (size_t i = 0; i < facts.plan->partitions.size(); ++i) {
    Candidate on = facts.plan->partitions[i].candidate;
    if (!seen.insert({on.resource, on.threads}).second) continue;
    for (const std::string& precision : precisions_at(facts, on)) {
      on.precision = precision;
      const Roofline limit = roofline_at(facts, on);
      if (limit.megaflops == 0 || limit.megabytes_per_second == 0) continue;
      const bool used = runs_at(*facts.plan, on);
      const Roof roof = {place_at(facts, on),
                         on.resource,
                         precision,
                         used,
                         static_cast<double>(limit.megaflops) * 1e6,
                         static_cast<double>(limit.megabytes_per_second) * 1e6};
      const auto same = std::find_if(roofs.begin(), roofs.end(), [&](const Roof& other) {
        return other.resource == roof.resource && other.flops_per_s == roof.flops_per_s &&
               other.bytes_per_s == roof.bytes_per_s;
      });
      if (same == roofs.end()) {
        roofs.push_back(roof);
      } else {
        same->precisions += ", " + precision;
        same->used = same->used || used;
      }
    }
  }
  return roofs;
}

// Bytes that a node or partition moves at the precision it runs at.
double bytes_at(const PageFacts& facts, uint64_t weights, uint64_t activations, std::string_view precision) {
  return (static_cast<double>(weights) + static_cast<double>(activations)) * precision_bits(precision) /
         precision_bits(own_precision(*facts.model));
}

double rate(double flops, int64_t ns) { return ns > 0 ? flops * 1e9 / static_cast<double>(ns) : 0; }

void add_nodes(const PageFacts& facts, double all_flops, std::vector<Point>& points) {
  const ModelFacts& model = *facts.model;
  for (size_t i = 0; i < facts.graph.boxes.size(); ++i) {
    const PageBox& box = facts.graph.boxes[i];
    if (box.flops == 0 || box.partition < 0) continue;
    const Candidate& on = facts.plan->partitions[static_cast<size_t>(box.partition)].candidate;
    const double bytes = bytes_at(facts, box.weight_bytes, box.activation_bytes, on.precision);
    if (bytes <= 0) continue;
    int64_t kernel_ns = 0;
    for (const int32_t id : box.nodes) kernel_ns += facts.kernel_ns[static_cast<size_t>(id)];
    const auto flops = static_cast<double>(box.flops);
    const NodeFacts& first = model.nodes[static_cast<size_t>(box.nodes.front())];
    const bool measured = box.kind == BoxKind::kNode && kernel_ns > 0;
    points.push_back({static_cast<int32_t>(i), box.partition,
                      box.kind == BoxKind::kNode ? first.op_type + " " + first.name
                                                 : fmt::format("{} nodes from {}", box.nodes.size(), first.name),
                      flops / bytes, rate(flops, measured ? kernel_ns : estimate_at(facts, on, box.nodes)), flops / all_flops,
                      measured});
  }
}

void add_partitions(const PageFacts& facts, double all_flops, std::vector<Point>& points) {
  for (size_t i = 0; i < facts.plan->partitions.size(); ++i) {
    const Partition& part = facts.plan->partitions[i];
    uint64_t flops = 0, activations = 0;
    for (const int32_t node : facts.nodes_of_partition[i]) {
      flops += facts.model->nodes[static_cast<size_t>(node)].flops;
      activations += facts.model->nodes[static_cast<size_t>(node)].activation_bytes;
    }
    const double bytes = bytes_at(facts, partition_weight_bytes(facts, i), activations, part.candidate.precision);
    if (flops == 0 || bytes <= 0 || part.expected_ns <= 0) continue;
    const auto work = static_cast<double>(flops);
    points.push_back({-1, static_cast<int32_t>(i), fmt::format("partition {}, {}", part.id, part.candidate.format()),
                      work / bytes, rate(work, part.expected_ns), work / all_flops, part.expected_from_evidence});
  }
}

std::vector<Point> points_of(const PageFacts& facts, size_t& left_out) {
  double all_flops = 0;
  for (const NodeFacts& node : facts.model->nodes) all_flops += static_cast<double>(node.flops);
  std::vector<Point> points, partitions;
  add_nodes(facts, all_flops, points);
  std::erase_if(points, [](const Point& point) { return point.flops_per_s <= 0; });
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.share > b.share; });
  left_out = points.size() > kMostPoints ? points.size() - kMostPoints : 0;
  points.resize(points.size() - left_out);
  add_partitions(facts, all_flops, partitions);
  points.insert(points.end(), partitions.begin(), partitions.end());
  return points;
}

Axes axes_of(const std::vector<Roof>& roofs, const std::vector<Point>& points) {
  double low_x = 1e300, high_x = 0, low_y = 1e300, high_y = 0;
  for (const Roof& roof : roofs) {
    const double ridge = roof.flops_per_s / roof.bytes_per_s;
    low_x = std::min(low_x, ridge / 20);
    high_x = std::max(high_x, ridge * 3);
    high_y = std::max(high_y, roof.flops_per_s * 2);
    low_y = std::min(low_y, roof.flops_per_s / 100);
  }
  for (const Point& point : points) {
    low_x = std::min(low_x, point.intensity / 1.5);
    high_x = std::max(high_x, point.intensity * 1.5);
    low_y = std::min(low_y, point.flops_per_s / 2);
    high_y = std::max(high_y, point.flops_per_s * 1.6);
  }
  // Nine decades hold every real model; one far outside stands at the edge.
  low_x = std::max(low_x, high_x / 1e9);
  low_y = std::max(low_y, high_y / 1e9);
  return {std::log10(low_x), std::log10(high_x), std::log10(low_y), std::log10(high_y)};
}

// Lines, and the labels that stand above what is drawn.
std::pair<std::string, std::string> grid(const Axes& axes) {
  std::string out, labels;
  for (int power = static_cast<int>(std::ceil(axes.low_x)); power <= axes.high_x; ++power) {
    const double x = axes.x(std::pow(10.0, power));
    out += fmt::format("<line class=\"grid\" x1=\"{0:.2f}%\" x2=\"{0:.2f}%\" y1=\"0\" y2=\"{1}\"/>", x, kHeight);
    if (x > 3 && x < 97) {
      labels += fmt::format("<text class=\"mid\" x=\"{:.2f}%\" y=\"{}\">{}</text>", x, kHeight + 16,
                            power < 0 ? fmt::format("{:g}", std::pow(10.0, power)) : short_count(std::pow(10.0, power)));
    }
  }
  for (int power = static_cast<int>(std::ceil(axes.low_y)); power <= axes.high_y; ++power) {
    const double y = axes.y(std::pow(10.0, power));
    out += fmt::format("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>", y);
    if (y > 14 && y < kHeight - 4) {
      labels +=
          fmt::format("<text class=\"tick\" x=\"3\" y=\"{:.1f}\">{}FLOP/s</text>", y - 3, short_count(std::pow(10.0, power)));
    }
  }
  return {out, labels + "\n"};
}

std::string roof_svg(const Roof& roof, const Axes& axes) {
  const double ridge = roof.flops_per_s / roof.bytes_per_s;
  const double low = std::max(std::pow(10.0, axes.low_x), std::pow(10.0, axes.low_y) / roof.bytes_per_s);
  const double top = axes.y(roof.flops_per_s);
  return fmt::format(
      "<g class=\"roof {0}{5}\"><line x1=\"{1:.2f}%\" y1=\"{2:.1f}\" x2=\"{3:.2f}%\" y2=\"{4:.1f}\"/><line x1=\"{3:.2f}%\" "
      "y1=\"{4:.1f}\" "
      "x2=\"100%\" y2=\"{4:.1f}\"/></g>\n",
      place_class(roof.place), axes.x(low), axes.y(low * roof.bytes_per_s), axes.x(ridge), top, roof.used ? "" : " unused");
}

// Precisions at the right end of their roofs, moved apart where they would overlap.
std::string roof_labels(std::vector<Roof> roofs, const Axes& axes) {
  std::stable_sort(roofs.begin(), roofs.end(), [](const Roof& a, const Roof& b) { return a.flops_per_s > b.flops_per_s; });
  std::string out;
  double below = -kLabelHeight;
  for (const Roof& roof : roofs) {
    below = std::max(axes.y(roof.flops_per_s) - 4, below + kLabelHeight);
    out += fmt::format("<text class=\"end tick\" x=\"100%\" y=\"{:.1f}\">{}</text>\n", below, escaped(roof.precisions, 24));
  }
  return out;
}

// The figures of the roofs, the same in words.
std::string roof_legend(const PageFacts& facts, const std::vector<Roof>& roofs) {
  std::string out = "<div class=\"legend\">";
  for (const Roof& roof : roofs) {
    out += fmt::format("<span><i class=\"{}\"></i>{}{}: {}FLOP/s, {}B/s</span>", place_class(roof.place),
                       facts.places.size() > 1 ? escaped(roof.resource, 40) + " " : "", escaped(roof.precisions, 60),
                       short_count(roof.flops_per_s), short_count(roof.bytes_per_s));
  }
  return out + "</div>\n";
}

std::string point_svg(const PageFacts& facts, const Point& point, const Axes& axes) {
  const std::string title = fmt::format("{}: {}FLOP/s {}, {:.3g} FLOP per byte, {:.1f} % of the work", escaped(point.name, 160),
                                        short_count(point.flops_per_s), point.measured ? "measured" : "by estimate",
                                        point.intensity, 100 * point.share);
  const double x = std::clamp(axes.x(point.intensity), 0.0, 100.0), y = std::clamp(axes.y(point.flops_per_s), 0.0, kHeight);
  const std::string look = partition_class(facts, point.partition) + (point.measured ? "" : " hollow");
  if (point.box < 0) {
    return fmt::format(
        "<svg class=\"pt\" x=\"{:.2f}%\" y=\"{:.1f}\"><path class=\"part {}\" tabindex=\"0\" d=\"M0-10L10 0L0 10L-10 "
        "0Z\"><title>{}"
        "</title></path></svg>\n",
        x, y, look, title);
  }
  return fmt::format(
      "<circle class=\"pt {}\" data-i=\"{}\" cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"{:.1f}\"><title>{}</title></circle>\n", look,
      point.box, x, y, 3.5 + 9 * std::sqrt(point.share), title);
}

std::string words(const PageFacts& facts, const std::vector<Point>& points, size_t left_out) {
  size_t nodes = 0, measured = 0;
  for (const Point& point : points) {
    if (point.box < 0) continue;
    ++nodes;
    measured += point.measured ? 1U : 0U;
  }
  std::string out =
      "<p class=\"dim\"><span class=\"badge amber\">estimate</span> The roofs are the cost model's estimate from core count, "
      "clock and instruction set (devices: their profile, or round figures by kind); nobody measured them, and a well tuned "
      "kernel may "
      "stand above. Diamonds are partitions";
  const bool from_evidence = std::any_of(facts.plan->partitions.begin(), facts.plan->partitions.end(),
                                         [](const Partition& part) { return part.expected_from_evidence; });
  out += from_evidence ? " at their measured time" : " at their estimated time";
  out += fmt::format(", circles {}, sized by their share of the work; filled = measured, hollow = estimate",
                     facts.graph.collapsed ? "runs of nodes" : "nodes");
  if (facts.log != nullptr) out += fmt::format(" ({} of {} bear the name of a recorded kernel)", measured, nodes);
  out += ".";
  if (left_out > 0) out += fmt::format(" The {} smallest are left out.", left_out);
  return out + "</p>\n";
}

}  // namespace

std::string roofline(const PageFacts& facts) {
  if (!facts.has_graph()) return "";
  const std::vector<Roof> roofs = roofs_of(facts);
  size_t left_out = 0;
  const std::vector<Point> points = points_of(facts, left_out);
  if (roofs.empty() || points.empty()) return "";
  const Axes axes = axes_of(roofs, points);
  std::string out = facts.places.size() > 1 ? place_legend(facts) : "";
  out += fmt::format("<div class=\"card plot\"><svg id=\"roofs\" height=\"{}\" role=\"img\" aria-label=\"Roofline plot\">\n",
                     kHeight + 36);
  const auto [lines, labels] = grid(axes);
  out += lines;
  for (const Roof& roof : roofs) out += roof_svg(roof, axes);
  for (const Point& point : points) out += point_svg(facts, point, axes);
  out += roof_labels(roofs, axes);
  out += labels;
  out += fmt::format("<text class=\"mid\" x=\"50%\" y=\"{}\">FLOP per byte moved</text></svg>\n", kHeight + 33);
  out += "<p id=\"roof-note\" class=\"note js-only\">Tap a point for its name and figures.</p></div>\n";
  return out + roof_legend(facts, roofs) + words(facts, points, left_out);
}

}  // namespace axle::html
