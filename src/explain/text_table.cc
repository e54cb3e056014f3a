#include "explain/text_table.h"

#include <algorithm>

namespace axle {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kNarrowest = 16;
constexpr size_t kRoomy = 40;  // a sentence in less than this is a ribbon
constexpr size_t kHang = 4;    // indent of text below its row

std::string padded(const std::string& text, size_t width, bool right) {
  const size_t used = display_width(text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return right ? blanks + text : text + blanks;
}

// Bytes of the first `columns` code points of `text`.
size_t prefix_bytes(std::string_view text, size_t columns) {
  size_t bytes = 0;
  while (bytes < text.size() && columns > 0) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
    --columns;
  }
  return bytes;
}

size_t widest_word(std::string_view text) {
  size_t widest = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t space = std::min(text.find(' ', at), text.size());
    widest = std::max(widest, display_width(text.substr(at, space - at)));
    at = space + 1;
  }
  return widest;
}

}  // namespace

std::string toned(std::string_view text, Tone tone, bool color) {
  if (!color || tone == Tone::kPlain || text.empty()) return std::string(text);
  const char* code = "0";
  switch (tone) {
    case Tone::kGood: code = "32"; break;
    case Tone::kBad: code = "31"; break;
    case Tone::kWarn: code = "33"; break;
    case Tone::kDim: code = "2"; break;
    case Tone::kStrong: code = "1"; break;
    case Tone::kPlain: break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

size_t display_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::vector<std::string> wrap_text(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  width = std::max<size_t>(width, 1);
  while (display_width(text) > width) {
    const size_t limit = prefix_bytes(text, width);
    size_t cut = text.rfind(' ', limit);
    const bool at_space = cut != std::string_view::npos && cut > 0;
    if (!at_space) cut = limit;
    lines.emplace_back(text.substr(0, cut));
    text.remove_prefix(cut);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

std::vector<std::string> hanging_lines(std::string_view first, std::string_view text, std::string_view more, int32_t width) {
  constexpr int32_t kNarrowestText = 40;
  const size_t before = std::max(display_width(first), display_width(more));
  std::vector<std::string> lines = wrap_text(text, static_cast<size_t>(std::max(width, kNarrowestText)) - before);
  for (size_t i = 0; i < lines.size(); ++i) lines[i].insert(0, i == 0 ? first : more);
  return lines;
}

std::string note_text(std::string_view note, int32_t width, std::string_view indent) {
  constexpr std::string_view kLabel = "note: ";
  const std::string first = std::string(indent) + std::string(kLabel),
                    more = std::string(indent) + std::string(kLabel.size(), ' ');
  std::string out;
  for (const std::string& line : hanging_lines(first, note, more, width)) out += line + "\n";
  return out;
}

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add_row(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  // What comes from models and engines must not speak to the terminal.
  for (Cell& cell : cells) {
    for (char& c : cell.text) c = c == '\n' || c == '\t' ? ' ' : static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  rows_.push_back(std::move(cells));
}

TextTable::Layout TextTable::fit(size_t width) const {
  Layout layout;
  size_t others = 0;
  size_t natural = 0;  // of the stretched column
  size_t longest_word = 0;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t widest = 0;
    for (const auto& row : rows_) {
      widest = std::max(widest, display_width(row[c].text));
      if (columns_[c].stretch) longest_word = std::max(longest_word, widest_word(row[c].text));
    }
    if (widest == 0 && !rows_.empty()) continue;
    layout.columns.push_back(c);
    layout.widths.push_back(std::max(widest, display_width(columns_[c].title)));
    if (columns_[c].stretch)
      natural = layout.widths.back();
    else
      others += layout.widths.back() + kGap;
  }
  const size_t left = width > others + kNarrowest ? width - others : kNarrowest;
  if (natural <= left) {
    shrink(width, layout);
    return layout;
  }
  for (size_t i = 0; i < layout.columns.size(); ++i) {
    if (columns_[layout.columns[i]].stretch) layout.widths[i] = left;
  }
  const bool is_last = columns_[layout.columns.back()].stretch && layout.columns.size() > 1;
  layout.hanging = is_last && (left < kRoomy || longest_word > left);
  shrink(width, layout);
  return layout;
}

void TextTable::shrink(size_t width, Layout& layout) const {
  const size_t count = layout.widths.size() - (layout.hanging ? 1 : 0);
  size_t used = 0;
  for (size_t i = 0; i < count; ++i) used += layout.widths[i] + (i + 1 < count ? kGap : 0);
  while (used > width) {
    size_t* widest = nullptr;
    for (size_t i = 0; i < count; ++i) {
      const bool may = columns_[layout.columns[i]].shrink && layout.widths[i] > kNarrowest;
      if (may && (widest == nullptr || layout.widths[i] > *widest)) widest = &layout.widths[i];
    }
    if (widest == nullptr) return;
    --*widest;
    --used;
  }
}

// One line of the shown columns; `cells` holds one for each of them.
void TextTable::add_line(const std::vector<Cell>& cells, const Layout& layout, bool color, std::string_view indent,
                         std::string& out) const {
  std::string line(indent);
  const size_t count = cells.size() - (layout.hanging ? 1 : 0);
  for (size_t i = 0; i < count; ++i) {
    const bool last = i + 1 == count;
    const bool right = columns_[layout.columns[i]].right;
    const std::string text = last && !right ? cells[i].text : padded(cells[i].text, layout.widths[i], right);
    line += toned(text, cells[i].tone, color);
    if (!last) line.append(kGap, ' ');
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  out += line + "\n";
}

std::string TextTable::render(int32_t width, bool color, std::string_view indent) const {
  const size_t room = static_cast<size_t>(std::max(width, 40)) - indent.size();
  const Layout layout = fit(room);
  std::string out;
  std::vector<Cell> titles;
  for (const size_t c : layout.columns) titles.push_back({columns_[c].title, Tone::kDim});
  add_line(titles, layout, color, indent, out);
  for (const auto& row : rows_) {
    std::vector<std::vector<std::string>> wrapped;
    size_t height = 1;
    for (size_t i = 0; i < layout.columns.size(); ++i) {
      const bool below = layout.hanging && i + 1 == layout.columns.size();
      const std::string& text = row[layout.columns[i]].text;
      // A path that is longer than the line is left to the terminal: broken by us it could not be copied.
      const size_t room_below = std::max(room - kHang, widest_word(text));
      wrapped.push_back(wrap_text(text, below ? room_below : layout.widths[i]));
      if (!below) height = std::max(height, wrapped.back().size());
    }
    for (size_t line = 0; line < height; ++line) {
      std::vector<Cell> cells;
      for (size_t i = 0; i < layout.columns.size(); ++i) {
        cells.push_back({line < wrapped[i].size() ? wrapped[i][line] : "", row[layout.columns[i]].tone});
      }
      add_line(cells, layout, color, indent, out);
    }
    if (!layout.hanging || row[layout.columns.back()].text.empty()) continue;
    for (const std::string& line : wrapped.back()) {
      out += std::string(indent) + std::string(kHang, ' ') + toned(line, row[layout.columns.back()].tone, color) + "\n";
    }
  }
  return out;
}

}  // namespace axle
