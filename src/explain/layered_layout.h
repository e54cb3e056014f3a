// Layered drawing of a graph whose edges all point from a lower to a higher index: rows by longest path, order within a row by
// the mean place of the neighbours, places by least squares under that order. Deterministic; bounded work.
// After K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures", 1981.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace axle {

struct LayoutEdge {
  int32_t from = 0, to = 0;  // from < to
};

struct LayoutPoint {
  double x = 0, y = 0;
};

struct LayoutOptions {
  double box_width = 172, box_height = 44;
  double column_gap = 18, row_gap = 38;
  size_t most_bends = 20'000;  // places that long edges take up between boxes; an edge beyond that is drawn straight
};

struct Layout {
  std::vector<LayoutPoint> boxes;               // upper left corners
  std::vector<std::vector<LayoutPoint>> edges;  // as given: lower middle of a box, bends, upper middle of another
  double width = 0, height = 0;
};

Layout layered_layout(size_t boxes, std::span<const LayoutEdge> edges, const LayoutOptions& options = {});

}  // namespace axle
