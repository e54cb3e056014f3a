#include "explain/text_table.h"

#include <algorithm>

namespace axle {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kNarrowest = 16;

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

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add_row(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<size_t> TextTable::fit(size_t width) const {
  std::vector<size_t> widths(columns_.size());
  for (size_t c = 0; c < columns_.size(); ++c) {
    widths[c] = display_width(columns_[c].title);
    for (const auto& row : rows_) widths[c] = std::max(widths[c], display_width(row[c].text));
  }
  for (size_t c = 0; c < columns_.size(); ++c) {
    if (!columns_[c].stretch) continue;
    size_t others = kGap * (columns_.size() - 1);
    for (size_t k = 0; k < columns_.size(); ++k) others += k == c ? 0 : widths[k];
    const size_t left = width > others + kNarrowest ? width - others : kNarrowest;
    widths[c] = std::min(widths[c], left);
  }
  return widths;
}

std::string TextTable::render(int32_t width, bool color, std::string_view indent) const {
  const std::vector<size_t> widths = fit(static_cast<size_t>(std::max(width, 40)) - indent.size());
  std::string out;
  const auto add_line = [&](const std::vector<std::pair<std::string, Tone>>& cells) {
    std::string line(indent);
    for (size_t c = 0; c < cells.size(); ++c) {
      const bool last = c + 1 == cells.size();
      std::string text = last && !columns_[c].right ? cells[c].first : padded(cells[c].first, widths[c], columns_[c].right);
      line += toned(text, cells[c].second, color);
      if (!last) line.append(kGap, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  };
  std::vector<std::pair<std::string, Tone>> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title, Tone::kDim);
  add_line(titles);
  for (const auto& row : rows_) {
    std::vector<std::vector<std::string>> wrapped;
    size_t height = 1;
    for (size_t c = 0; c < row.size(); ++c) {
      wrapped.push_back(wrap_text(row[c].text, widths[c]));
      height = std::max(height, wrapped.back().size());
    }
    for (size_t line = 0; line < height; ++line) {
      std::vector<std::pair<std::string, Tone>> cells;
      for (size_t c = 0; c < row.size(); ++c) {
        cells.emplace_back(line < wrapped[c].size() ? wrapped[c][line] : "", row[c].tone);
      }
      add_line(cells);
    }
  }
  return out;
}

}  // namespace axle
