#include "explain/layered_layout.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace axle {
namespace {

constexpr int kOrderSweeps = 8;
constexpr int kPlaceSweeps = 16;
constexpr double kBendWidth = 6;
constexpr double kBendWeight = 4;  // long edges are kept straight before boxes are centred

// A box, or the place in one row that the long edges of a box pass through.
struct Item {
  int32_t row = 0;
  double width = 0;
  double weight = 1;
  double x = 0;  // of its middle
  std::vector<int32_t> above{}, below{};
};

struct Drawing {
  std::vector<Item> items;  // boxes first, then bends
  std::vector<std::vector<int32_t>> rows;
  std::vector<int32_t> first_bend;  // of each box, -1 = none; its bends lie in consecutive rows
};

// Rows that hold nothing are taken out.
void close_gaps(std::vector<int32_t>& rows) {
  std::vector<int32_t> used = rows;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (int32_t& row : rows) row = static_cast<int32_t>(std::lower_bound(used.begin(), used.end(), row) - used.begin());
}

// Longest path from the sources. Then what is read later than it could be made moves down to just above its first reader, where
// that shortens edges: models compute shapes from their input that are read hundreds of rows below.
std::vector<int32_t> rows_of(size_t boxes, std::span<const LayoutEdge> edges) {
  std::vector<std::vector<int32_t>> out(boxes);
  std::vector<size_t> feeders(boxes, 0);
  for (const LayoutEdge& edge : edges) {
    out[static_cast<size_t>(edge.from)].push_back(edge.to);
    ++feeders[static_cast<size_t>(edge.to)];
  }
  std::vector<int32_t> rows(boxes, 0);
  for (size_t from = 0; from < boxes; ++from) {
    for (const int32_t to : out[from]) rows[static_cast<size_t>(to)] = std::max(rows[static_cast<size_t>(to)], rows[from] + 1);
  }
  for (size_t box = boxes; box-- > 0;) {
    if (out[box].empty() || feeders[box] > std::max<size_t>(1, out[box].size())) continue;
    int32_t nearest = rows[static_cast<size_t>(out[box].front())];
    for (const int32_t to : out[box]) nearest = std::min(nearest, rows[static_cast<size_t>(to)]);
    rows[box] = nearest - 1;
  }
  close_gaps(rows);
  return rows;
}

// The last row that edges of each box lead to.
std::vector<int32_t> reach_of(const std::vector<int32_t>& rows, std::span<const LayoutEdge> edges) {
  std::vector<int32_t> reach = rows;
  for (const LayoutEdge& edge : edges) {
    int32_t& last = reach[static_cast<size_t>(edge.from)];
    last = std::max(last, rows[static_cast<size_t>(edge.to)]);
  }
  return reach;
}

// Bends for the long edges, the shortest first, as long as there is room. All edges of a box share them.
void add_bends(Drawing& drawing, const std::vector<int32_t>& reach, size_t most_bends) {
  std::vector<int32_t> order(reach.size());
  std::iota(order.begin(), order.end(), 0);
  const auto length = [&](int32_t box) {
    return reach[static_cast<size_t>(box)] - drawing.items[static_cast<size_t>(box)].row;
  };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return length(a) < length(b); });
  size_t made = 0;
  for (const int32_t box : order) {
    if (length(box) < 2) continue;
    made += static_cast<size_t>(length(box)) - 1;
    if (made > most_bends) return;
    drawing.first_bend[static_cast<size_t>(box)] = static_cast<int32_t>(drawing.items.size());
    for (int32_t row = drawing.items[static_cast<size_t>(box)].row + 1; row < reach[static_cast<size_t>(box)]; ++row) {
      drawing.items.push_back({.row = row, .width = kBendWidth, .weight = kBendWeight});
    }
  }
}

void join(Drawing& drawing, int32_t upper, int32_t lower) {
  drawing.items[static_cast<size_t>(upper)].below.push_back(lower);
  drawing.items[static_cast<size_t>(lower)].above.push_back(upper);
}

// The item just above the end of an edge; -1 when its bends found no room.
int32_t last_before(const Drawing& drawing, const LayoutEdge& edge) {
  const int32_t span = drawing.items[static_cast<size_t>(edge.to)].row - drawing.items[static_cast<size_t>(edge.from)].row;
  if (span == 1) return edge.from;
  const int32_t first = drawing.first_bend[static_cast<size_t>(edge.from)];
  return first < 0 ? -1 : first + span - 2;
}

Drawing drawing_of(size_t boxes, std::span<const LayoutEdge> edges, const LayoutOptions& options) {
  Drawing drawing;
  const std::vector<int32_t> rows = rows_of(boxes, edges);
  for (const int32_t row : rows) drawing.items.push_back({.row = row, .width = options.box_width});
  drawing.first_bend.assign(boxes, -1);
  const std::vector<int32_t> reach = reach_of(rows, edges);
  add_bends(drawing, reach, options.most_bends);
  for (size_t box = 0; box < boxes; ++box) {
    const int32_t first = drawing.first_bend[box];
    if (first < 0) continue;
    join(drawing, static_cast<int32_t>(box), first);
    for (int32_t i = 1; i < reach[box] - rows[box] - 1; ++i) join(drawing, first + i - 1, first + i);
  }
  for (const LayoutEdge& edge : edges) {
    if (const int32_t before = last_before(drawing, edge); before >= 0) join(drawing, before, edge.to);
  }
  const int32_t last = rows.empty() ? -1 : *std::max_element(rows.begin(), rows.end());
  drawing.rows.resize(static_cast<size_t>(last) + 1);
  for (size_t i = 0; i < drawing.items.size(); ++i) {
    drawing.rows[static_cast<size_t>(drawing.items[i].row)].push_back(static_cast<int32_t>(i));
  }
  return drawing;
}

// Orders `row` by the mean position of the neighbours in the row that was ordered before.
void order_row(const Drawing& drawing, std::vector<int32_t>& row, bool by_above, std::vector<double>& position) {
  std::vector<std::pair<double, int32_t>> keys;
  for (const int32_t item : row) {
    const auto& neighbours =
        by_above ? drawing.items[static_cast<size_t>(item)].above : drawing.items[static_cast<size_t>(item)].below;
    double sum = 0;
    for (const int32_t neighbour : neighbours) sum += position[static_cast<size_t>(neighbour)];
    keys.emplace_back(neighbours.empty() ? position[static_cast<size_t>(item)] : sum / static_cast<double>(neighbours.size()),
                      item);
  }
  std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // Positions are relative to the middle, so that rows of different length compare.
  const double half = static_cast<double>(row.size() - 1) / 2;
  for (size_t i = 0; i < keys.size(); ++i) {
    row[i] = keys[i].second;
    position[static_cast<size_t>(keys[i].second)] = static_cast<double>(i) - half;
  }
}

void order_rows(Drawing& drawing) {
  std::vector<double> position(drawing.items.size(), 0);
  for (const auto& row : drawing.rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      position[static_cast<size_t>(row[i])] = static_cast<double>(i) - static_cast<double>(row.size() - 1) / 2;
    }
  }
  for (int sweep = 0; sweep < kOrderSweeps; ++sweep) {
    if (sweep % 2 == 0) {
      for (auto& row : drawing.rows) order_row(drawing, row, true, position);
    } else {
      for (auto row = drawing.rows.rbegin(); row != drawing.rows.rend(); ++row) order_row(drawing, *row, false, position);
    }
  }
}

// Moves the items of a row as near to `wanted` as their order and widths allow: least squares, by pooling neighbours that
// would overlap (M. Ayer et al., 1955).
void place_row(Drawing& drawing, const std::vector<int32_t>& row, const std::vector<double>& wanted, double gap) {
  struct Pool {
    double sum = 0, weight = 0;
    size_t count = 0;
    double mean() const { return sum / weight; }
  };
  std::vector<double> offset(row.size(), 0);
  std::vector<Pool> pools;
  for (size_t i = 0; i < row.size(); ++i) {
    const Item& item = drawing.items[static_cast<size_t>(row[i])];
    if (i > 0) offset[i] = offset[i - 1] + (drawing.items[static_cast<size_t>(row[i - 1])].width + item.width) / 2 + gap;
    pools.push_back({(wanted[i] - offset[i]) * item.weight, item.weight, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().weight += last.weight;
      pools.back().count += last.count;
    }
  }
  size_t at = 0;
  for (const Pool& pool : pools) {
    for (size_t i = 0; i < pool.count; ++i, ++at) drawing.items[static_cast<size_t>(row[at])].x = pool.mean() + offset[at];
  }
}

double mean_x(const Drawing& drawing, const Item& item, bool above, bool below) {
  double sum = 0, weight = 0;
  const auto add = [&](const std::vector<int32_t>& neighbours) {
    for (const int32_t id : neighbours) {
      const Item& neighbour = drawing.items[static_cast<size_t>(id)];
      sum += neighbour.x * neighbour.weight;
      weight += neighbour.weight;
    }
  };
  if (above) add(item.above);
  if (below) add(item.below);
  return weight > 0 ? sum / weight : item.x;
}

void place_rows(Drawing& drawing, double gap) {
  const auto place = [&](const std::vector<int32_t>& row, bool above, bool below) {
    std::vector<double> wanted;
    for (const int32_t item : row) wanted.push_back(mean_x(drawing, drawing.items[static_cast<size_t>(item)], above, below));
    place_row(drawing, row, wanted, gap);
  };
  for (const auto& row : drawing.rows) place(row, true, false);
  for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) {
    const bool settle = sweep >= kPlaceSweeps / 2;  // first pull from one side, then from both
    if (sweep % 2 == 0) {
      for (auto row = drawing.rows.rbegin(); row != drawing.rows.rend(); ++row) place(*row, settle, true);
    } else {
      for (const auto& row : drawing.rows) place(row, true, settle);
    }
  }
}

std::vector<LayoutPoint> route(const Drawing& drawing, const LayoutEdge& edge, const LayoutOptions& options) {
  const auto top = [&](int32_t row) { return row * (options.box_height + options.row_gap); };
  const Item& from = drawing.items[static_cast<size_t>(edge.from)];
  const Item& to = drawing.items[static_cast<size_t>(edge.to)];
  std::vector<LayoutPoint> points = {{from.x, top(from.row) + options.box_height}};
  if (to.row - from.row > 1 && last_before(drawing, edge) >= 0) {
    const int32_t first = drawing.first_bend[static_cast<size_t>(edge.from)];
    for (int32_t row = from.row + 1; row < to.row; ++row) {
      const Item& bend = drawing.items[static_cast<size_t>(first + row - from.row - 1)];
      points.push_back({bend.x, top(row)});
      points.push_back({bend.x, top(row) + options.box_height});
    }
  }
  points.push_back({to.x, top(to.row)});
  return points;
}

}  // namespace

Layout layered_layout(size_t boxes, std::span<const LayoutEdge> edges, const LayoutOptions& options) {
  Layout layout;
  if (boxes == 0) return layout;
  Drawing drawing = drawing_of(boxes, edges, options);
  order_rows(drawing);
  place_rows(drawing, options.column_gap);
  double left = drawing.items[0].x - drawing.items[0].width / 2;
  for (const Item& item : drawing.items) left = std::min(left, item.x - item.width / 2);
  for (Item& item : drawing.items) {
    item.x -= left;
    layout.width = std::max(layout.width, item.x + item.width / 2);
  }
  for (size_t box = 0; box < boxes; ++box) {
    const Item& item = drawing.items[box];
    layout.boxes.push_back({item.x - options.box_width / 2, item.row * (options.box_height + options.row_gap)});
  }
  layout.height = static_cast<double>(drawing.rows.size()) * (options.box_height + options.row_gap) - options.row_gap;
  for (const LayoutEdge& edge : edges) layout.edges.push_back(route(drawing, edge, options));
  return layout;
}

}  // namespace axle
