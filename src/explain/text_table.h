// TextTable: columns that fit a width, with wrapped cells, and colour per cell. Columns without content are left out. Where the
// last column is the stretched one and has too little room, its text stands in lines of its own below each row. Knows nothing of
// what it shows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace axle {

enum class Tone : uint8_t { kPlain, kGood, kBad, kWarn, kDim, kStrong };

// `text` in the tone's colour when `color`, else as it is.
std::string toned(std::string_view text, Tone tone, bool color);
// Columns that `text` takes on a terminal: UTF-8 code points, no East Asian width.
size_t display_width(std::string_view text);
// Lines of at most `width` columns, broken at spaces where possible.
std::vector<std::string> wrap_text(std::string_view text, size_t width);

// `text` behind `first`, in lines of at most `width` columns (40 at least), each but the first behind `more`.
std::vector<std::string> hanging_lines(std::string_view first, std::string_view text, std::string_view more, int32_t width);
// "note: ..." as such lines with their ends.
std::string note_text(std::string_view note, int32_t width, std::string_view indent = "");

class TextTable {
 public:
  struct Cell {
    std::string text;
    Tone tone = Tone::kPlain;
  };
  struct Column {
    std::string title;
    bool right = false;  // numbers
    bool stretch = false;  // takes what width is left and wraps; at most one
    bool shrink = false;  // wraps, also within words, where the table would be wider than it may
  };

  explicit TextTable(std::vector<Column> columns);
  // Missing cells are empty; more cells than columns are dropped. Control characters are shown as '?'.
  void add_row(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  std::string render(int32_t width, bool color, std::string_view indent = "") const;

 private:
  struct Layout {
    std::vector<size_t> columns;  // that are shown
    std::vector<size_t> widths;  // one for each of them
    bool hanging = false;  // the last column's text stands below each row
  };
  Layout fit(size_t width) const;
  // Takes from the widest columns that may shrink, until the lines fit.
  void shrink(size_t width, Layout& layout) const;
  void add_line(const std::vector<Cell>& cells, const Layout& layout, bool color, std::string_view indent,
                std::string& out) const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace axle
