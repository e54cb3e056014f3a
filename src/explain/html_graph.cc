// The graph of the model as SVG, coloured by what runs each node; what the page's script shows of a node; what partitions hand over.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "explain/html.h"
#include "explain/layered_layout.h"

namespace axle::html {
namespace {

constexpr size_t kTitleCharacters = 20;
constexpr size_t kMostTensorsOfBox = 12;
constexpr size_t kMostTransfers = 200;
constexpr double kMargin = 24;

// Operators of a box, the commonest first: "Conv", or "8 Conv, 4 Relu".
std::string operators_of(const PageBox& box, const ModelFacts& model) {
  std::map<std::string, size_t> counts;
  for (const int32_t node : box.nodes) ++counts[model.nodes[static_cast<size_t>(node)].op_type];
  if (box.nodes.size() == 1) return counts.begin()->first;
  std::vector<std::pair<std::string, size_t>> order(counts.begin(), counts.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  for (const auto& [op, count] : order) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, op);
  return out;
}

// The first lines' worth of a text: its end is told by what is shown when the box is selected.
std::string cut(const std::string& text, size_t most) {
  const std::string whole = plain(text, SIZE_MAX);
  size_t at = 0, count = 0;
  for (; at < whole.size(); ++at) {
    const bool starts = (static_cast<unsigned char>(whole[at]) & 0xC0U) != 0x80U;
    if (starts && ++count > most) return escaped(whole.substr(0, at)) + "\u2026";
  }
  return escaped(whole);
}

struct BoxText {
  std::string title, below;
};

BoxText text_of(const PageFacts& facts, size_t index, const std::vector<std::vector<int32_t>>& outputs) {
  const PageBox& box = facts.graph.boxes[index];
  const ModelFacts& model = *facts.model;
  if (box.kind == BoxKind::kRun) return {fmt::format("{} nodes", box.nodes.size()), operators_of(box, model)};
  if (box.kind == BoxKind::kNode) {
    const auto& made = outputs[index];
    return {operators_of(box, model), made.empty() ? "" : model.tensors[static_cast<size_t>(made.front())].type};
  }
  const char* side = box.kind == BoxKind::kInput ? "input" : "output";
  if (box.tensors.size() > 1) return {fmt::format("{} {}s", box.tensors.size(), side), ""};
  const TensorFacts& tensor = model.tensors[static_cast<size_t>(box.tensors.front())];
  return {tensor.name, tensor.type};
}

std::string box_svg(const PageFacts& facts, size_t index, const BoxText& text, const LayoutPoint& at, uint64_t most_flops) {
  const LayoutOptions size;
  const PageBox& box = facts.graph.boxes[index];
  const bool caller = box.nodes.empty();
  std::string out = fmt::format(
      "<g class=\"{} {}\" data-i=\"{}\" transform=\"translate({:.0f} {:.0f})\"><title>{}</title>", caller ? "io" : "n",
      partition_class(facts, box.partition), index, at.x, at.y,
      escaped(box.kind == BoxKind::kNode ? facts.model->nodes[static_cast<size_t>(box.nodes.front())].name : text.title, 120));
  out += fmt::format("<rect width=\"{:.0f}\" height=\"{:.0f}\" rx=\"{}\"/>", size.box_width, size.box_height, caller ? 20 : 5);
  out += fmt::format("<text x=\"{0}\" y=\"{1}\">{2}</text>", caller ? 18 : 12, text.below.empty() ? 27 : 19,
                     cut(text.title, kTitleCharacters));
  if (!text.below.empty())
    out += fmt::format("<text class=\"s\" x=\"{}\" y=\"34\">{}</text>", caller ? 18 : 12, cut(text.below, 23));
  if (box.flops > 0 && most_flops > 0) {
    const double share = static_cast<double>(box.flops) / static_cast<double>(most_flops);
    out += fmt::format("<path class=\"w\" d=\"M3 {0:.0f}h{1:.1f}\"/>", size.box_height - 3, 2 + (size.box_width - 8) * share);
  }
  return out + "</g>\n";
}

std::string path_of(const std::vector<LayoutPoint>& points) {
  std::string d = fmt::format("M{:.0f} {:.0f}", points[0].x, points[0].y);
  for (size_t i = 1; i < points.size(); ++i) {
    const LayoutPoint &a = points[i - 1], &b = points[i];
    // Past the boxes of a row the way is straight, between rows it swings.
    if (std::abs(a.x - b.x) < 0.5) {
      d += fmt::format("V{:.0f}", b.y);
    } else {
      const double half = (a.y + b.y) / 2;
      d += fmt::format("C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}", a.x, half, b.x, half, b.x, b.y);
    }
  }
  return d;
}

// What other partitions hand to a box, written above it.
std::string arrival_label(const PageFacts& facts, const std::vector<int32_t>& tensors, const LayoutPoint& box) {
  uint64_t bytes = 0;
  for (const int32_t id : tensors) bytes += facts.model->tensors[static_cast<size_t>(id)].bytes;
  const std::string what = tensors.size() == 1 ? cut(facts.model->tensors[static_cast<size_t>(tensors.front())].type, 24)
                                               : fmt::format("{} tensors", tensors.size());
  return fmt::format("<text class=\"x\" x=\"{:.0f}\" y=\"{:.0f}\">{}{}</text>\n", box.x + LayoutOptions().box_width / 2,
                     box.y - 10, what, bytes > 0 ? ", " + format_size(bytes) : "");
}

std::string edge_svg(const PageFacts& facts, const PageEdge& edge, const std::vector<LayoutPoint>& points) {
  std::string title;
  for (size_t i = 0; i < edge.tensors.size() && i < 3; ++i) {
    const TensorFacts& tensor = facts.model->tensors[static_cast<size_t>(edge.tensors[i])];
    title += fmt::format("{}{} {}", title.empty() ? "" : "; ", escaped(tensor.name, 120), escaped(tensor.type, 80));
  }
  if (edge.tensors.size() > 3) title += fmt::format("; and {} more", edge.tensors.size() - 3);
  return fmt::format("<path{} d=\"{}\"><title>{}</title></path>\n", edge.crosses ? " class=\"cross\"" : "", path_of(points),
                     title);
}

std::string svg_of(const PageFacts& facts, const std::vector<std::vector<int32_t>>& outputs) {
  std::vector<LayoutEdge> edges;
  for (const PageEdge& edge : facts.graph.edges) edges.push_back({edge.from, edge.to});
  const Layout layout = layered_layout(facts.graph.boxes.size(), edges);
  uint64_t most_flops = 0;
  for (const PageBox& box : facts.graph.boxes) most_flops = std::max(most_flops, box.flops);
  std::string lines, labels, boxes;
  std::map<int32_t, std::vector<int32_t>> arrivals;
  for (size_t i = 0; i < edges.size(); ++i) {
    const PageEdge& edge = facts.graph.edges[i];
    lines += edge_svg(facts, edge, layout.edges[i]);
    if (edge.crosses) arrivals[edge.to].insert(arrivals[edge.to].end(), edge.tensors.begin(), edge.tensors.end());
  }
  for (const auto& [box, tensors] : arrivals) labels += arrival_label(facts, tensors, layout.boxes[static_cast<size_t>(box)]);
  for (size_t i = 0; i < facts.graph.boxes.size(); ++i) {
    boxes += box_svg(facts, i, text_of(facts, i, outputs), layout.boxes[i], most_flops);
  }
  return fmt::format(
      "<svg id=\"net\" tabindex=\"0\" role=\"group\" aria-label=\"Graph of the model: arrow keys move, + and - zoom\" "
      "viewBox=\"{:.0f} {:.0f} {:.0f} {:.0f}\">\n<g class=\"edges\">{}</g>\n<g id=\"boxes\">{}</g>\n<g>{}</g></svg>\n",
      -kMargin, -kMargin, layout.width + 2 * kMargin, layout.height + 2 * kMargin, lines, boxes, labels);
}

// ---- details of a node, for the page's script

// Answers of one engine on one resource at one precision; equal ones of several precisions are one.
struct Asker {
  std::string name;
  const VerdictRow* row;
};

std::vector<Asker> askers_of(const std::vector<VerdictRow>& verdicts) {
  std::vector<Asker> out;
  for (const VerdictRow& row : verdicts) {
    const auto same = std::find_if(out.begin(), out.end(), [&](const Asker& asker) {
      return asker.row->engine == row.engine && asker.row->resource == row.resource && asker.row->verdict == row.verdict;
    });
    if (same != out.end())
      same->name += ", " + row.precision;
    else
      out.push_back({row.engine + " on " + row.resource + ", " + row.precision, &row});
  }
  return out;
}

// Verdicts by number, each text once.
class VerdictTable {
 public:
  size_t number(const Verdict& verdict) {
    const auto [entry, fresh] =
        numbers_.try_emplace({verdict_kind_name(verdict.kind), verdict.code, verdict.text}, numbers_.size());
    if (fresh) rows_.push_back({verdict_kind_name(verdict.kind), plain(verdict.code, 40), plain(verdict.text, 400)});
    return entry->second;
  }
  const Json& rows() const { return rows_; }

 private:
  std::map<std::tuple<std::string_view, std::string, std::string>, size_t> numbers_;
  Json rows_ = Json::array();
};

// The worst answer for any node of the box: what keeps the engine from it.
const Verdict& worst_of(const Asker& asker, const PageBox& box) {
  const Verdict* worst = &asker.row->verdict.of_node(static_cast<uint32_t>(box.nodes.front()));
  for (const int32_t node : box.nodes) {
    const Verdict& verdict = asker.row->verdict.of_node(static_cast<uint32_t>(node));
    if (verdict.kind == VerdictKind::kNo && worst->kind != VerdictKind::kNo) worst = &verdict;
  }
  return *worst;
}

// Tensors by number, those that are shown.
class TensorTable {
 public:
  explicit TensorTable(const ModelFacts& model) : model_(model), numbers_(model.tensors.size(), -1) {}
  Json numbers(const std::vector<int32_t>& tensors) {
    Json out = Json::array();
    for (size_t i = 0; i < tensors.size() && i < kMostTensorsOfBox; ++i) {
      int32_t& number = numbers_[static_cast<size_t>(tensors[i])];
      if (number < 0) {
        const TensorFacts& tensor = model_.tensors[static_cast<size_t>(tensors[i])];
        number = static_cast<int32_t>(rows_.size());
        rows_.push_back({plain(tensor.name, 120), plain(tensor.type, 80), tensor.bytes});
      }
      out.push_back(number);
    }
    return out;
  }
  const Json& rows() const { return rows_; }

 private:
  const ModelFacts& model_;
  std::vector<int32_t> numbers_;
  Json rows_ = Json::array();
};

Json box_json(const PageFacts& facts, const PageBox& box, const std::vector<Asker>& askers, VerdictTable& verdicts) {
  const ModelFacts& model = *facts.model;
  Json json = Json::object();
  if (box.nodes.empty()) {
    json["o"] = box.kind == BoxKind::kInput ? "input of the model" : "output of the model";
    return json;
  }
  const NodeFacts& first = model.nodes[static_cast<size_t>(box.nodes.front())];
  const NodeFacts& last = model.nodes[static_cast<size_t>(box.nodes.back())];
  json["o"] = plain(operators_of(box, model), 300);
  json["n"] = box.nodes.size() == 1 ? plain(first.name, 400) : plain(first.name, 120) + " to " + plain(last.name, 120);
  if (box.nodes.size() == 1 && !first.domain.empty()) json["d"] = plain(first.domain, 80);
  json["p"] = box.partition;
  json["f"] = box.flops;
  json["w"] = box.weight_bytes;
  json["a"] = box.activation_bytes;
  json["e"] = box.partition < 0
                  ? 0
                  : estimate_at(facts, facts.plan->partitions[static_cast<size_t>(box.partition)].candidate, box.nodes);
  int64_t kernel_ns = 0;
  for (const int32_t node : box.nodes) kernel_ns += facts.kernel_ns[static_cast<size_t>(node)];
  if (kernel_ns > 0) json["k"] = kernel_ns;
  Json answers = Json::array();
  for (const Asker& asker : askers) answers.push_back(verdicts.number(worst_of(asker, box)));
  json["v"] = std::move(answers);
  return json;
}

std::string details_data(const PageFacts& facts, const std::vector<std::vector<int32_t>>& inputs,
                         const std::vector<std::vector<int32_t>>& outputs) {
  const std::vector<Asker> askers = askers_of(*facts.verdicts);
  VerdictTable verdicts;
  TensorTable tensors(*facts.model);
  Json boxes = Json::array(), parts = Json::array(), names = Json::array();
  for (size_t i = 0; i < facts.graph.boxes.size(); ++i) {
    Json json = box_json(facts, facts.graph.boxes[i], askers, verdicts);
    json["i"] = tensors.numbers(inputs[i]);
    json["u"] = tensors.numbers(outputs[i]);
    boxes.push_back(std::move(json));
  }
  for (size_t i = 0; i < facts.plan->partitions.size(); ++i) {
    const Partition& part = facts.plan->partitions[i];
    parts.push_back({plain(part.candidate.format(), 240), partition_class(facts, static_cast<int32_t>(i)), part.simulated});
  }
  for (const Asker& asker : askers) names.push_back(plain(asker.name, 240));
  return data_block(
      "net-data",
      {{"askers", names}, {"boxes", boxes}, {"parts", parts}, {"tensors", tensors.rows()}, {"verdicts", verdicts.rows()}});
}

std::string where_html(const PageFacts& facts, int32_t partition) {
  const auto found = std::find_if(facts.plan->partitions.begin(), facts.plan->partitions.end(),
                                  [&](const Partition& part) { return part.id == partition; });
  if (found == facts.plan->partitions.end()) return "caller";
  const auto index = static_cast<int32_t>(found - facts.plan->partitions.begin());
  return fmt::format("<i class=\"dot {}\"></i>{} <span class=\"dim\">{}</span>", partition_class(facts, index), partition,
                     escaped(found->candidate.engine, 40));
}

}  // namespace

std::string graph(const PageFacts& facts) {
  if (!facts.has_graph()) return "";
  std::vector<std::vector<int32_t>> inputs(facts.graph.boxes.size()), outputs(facts.graph.boxes.size());
  for (const PageEdge& edge : facts.graph.edges) {
    for (const int32_t tensor : edge.tensors) {
      inputs[static_cast<size_t>(edge.to)].push_back(tensor);
      auto& made = outputs[static_cast<size_t>(edge.from)];
      if (std::find(made.begin(), made.end(), tensor) == made.end()) made.push_back(tensor);
    }
  }
  std::string out = place_legend(facts);
  out +=
      "<div class=\"card net\"><div class=\"tools js-only\"><input id=\"find\" type=\"search\" placeholder=\"Find a node or "
      "operator\" "
      "aria-label=\"Find a node or operator\" autocomplete=\"off\"><span id=\"found\" class=\"dim\"></span>"
      "<button type=\"button\" data-zoom=\"0.7\" aria-label=\"Zoom in\">+</button>"
      "<button type=\"button\" data-zoom=\"1.4286\" aria-label=\"Zoom out\">\u2212</button>"
      "<button type=\"button\" data-zoom=\"0\">Fit</button></div>\n<div class=\"stage\"><div class=\"view\">";
  out += svg_of(facts, outputs);
  out +=
      "</div><div id=\"details\" class=\"js-only\" aria-live=\"polite\"><p class=\"dim\">Tap a node for its operator, work, "
      "memory and "
      "what each engine says of it.</p></div></div></div>\n";
  std::string note = "The bar in a node is its share of the work (FLOPs) against the heaviest one.";
  if (facts.graph.collapsed) {
    note = fmt::format(
        "{} nodes: each box stands for a run of them within one partition. The bar in a box is its share of the "
        "work (FLOPs) against the heaviest one.",
        count_text(facts.model->nodes.size()));
  }
  out += "<p class=\"dim\">" + note + (facts.model->cost_exact ? "" : " Axes that are not known count as 1.") + "</p>\n";
  return out + details_data(facts, inputs, outputs);
}

std::string transfers(const PageFacts& facts) {
  const Plan& plan = *facts.plan;
  if (plan.partitions.size() < 2 || plan.transfers.empty()) return "";
  std::vector<const Transfer*> order;
  for (const Transfer& transfer : plan.transfers) order.push_back(&transfer);
  std::stable_sort(order.begin(), order.end(), [](const Transfer* a, const Transfer* b) { return a->bytes > b->bytes; });
  std::map<std::string_view, std::string_view> types;
  if (facts.input != nullptr) {
    for (const TensorFacts& tensor : facts.model->tensors) types[tensor.name] = tensor.type;
  }
  std::string rows;
  for (size_t i = 0; i < order.size() && i < kMostTransfers; ++i) {
    const Transfer& moved = *order[i];
    const bool same = moved.from_space == moved.to_space;
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"r\">{}</td><td>{}</td></tr>\n",
                        code(moved.tensor), where_html(facts, moved.from_partition), where_html(facts, moved.to_partition),
                        code(types[moved.tensor]), moved.bytes == 0 ? "" : format_size(moved.bytes),
                        escaped(same ? moved.from_space + ", not copied" : moved.from_space + " to " + moved.to_space, 80));
  }
  std::string out =
      scrolled_table("<th>tensor</th><th>from</th><th>to</th><th>type</th><th class=\"r\">size</th><th>memory</th>", rows);
  if (order.size() > kMostTransfers)
    out += fmt::format("<p class=\"dim\">... and {} smaller ones</p>\n", order.size() - kMostTransfers);
  return folded(fmt::format("What partitions hand over: {} tensor{}", order.size(), order.size() == 1 ? "" : "s"), out);
}

}  // namespace axle::html
