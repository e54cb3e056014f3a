#include "tensor/npy_header.h"

#include <fmt/core.h>

#include <charconv>
#include <string_view>

#include "base/text.h"

namespace axle {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeaderBytes = 64 * 1024;
constexpr size_t kMaxRank = 64;  // numpy's own limit

// Reads the literal that numpy writes, and nothing else of Python.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Result<NpyHeader> parse() {
    NpyHeader header;
    bool seen[3] = {};
    AXLE_RETURN_IF_ERROR(expect('{'));
    while (!accept('}')) {
      AXLE_ASSIGN_OR_RETURN(const std::string_view key, quoted());
      AXLE_RETURN_IF_ERROR(expect(':'));
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0) return refuse(fmt::format("unknown key '{}'", printable(key, 40)));
      if (seen[which]) return refuse(fmt::format("key '{}' is given twice", key));
      seen[which] = true;
      if (which == 0) {
        AXLE_ASSIGN_OR_RETURN(header.type, type());
      } else if (which == 1) {
        AXLE_ASSIGN_OR_RETURN(header.fortran_order, boolean());
      } else {
        AXLE_ASSIGN_OR_RETURN(header.shape, shape());
      }
      if (!accept(',')) {
        AXLE_RETURN_IF_ERROR(expect('}'));
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) return refuse("something follows the dictionary");
    if (!seen[0] || !seen[1] || !seen[2]) return refuse("descr, fortran_order and shape are needed");
    return header;
  }

 private:
  Status refuse(const std::string& why) const {
    return invalid_argument_error(fmt::format("malformed .npy header at byte {}: {}", at_, why));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char wanted) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  Status expect(char wanted) { return accept(wanted) ? ok_status() : refuse(fmt::format("'{}' expected", wanted)); }
  Result<std::string_view> quoted() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return refuse("a quoted text expected");
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return refuse("a text without end");
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return content;
  }
  Result<bool> boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    return refuse("True or False expected");
  }
  Result<int64_t> integer() {
    skip_blanks();
    int64_t value = 0;
    const auto end = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (end.ec != std::errc() || value < 0) return refuse("a size expected");
    at_ = static_cast<size_t>(end.ptr - text_.data());
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2
    return value;
  }
  Result<Shape> shape() {
    AXLE_RETURN_IF_ERROR(expect('('));
    Shape sizes;
    while (!accept(')')) {
      if (sizes.size() == kMaxRank) return refuse(fmt::format("more than {} dimensions", kMaxRank));
      AXLE_ASSIGN_OR_RETURN(const int64_t size, integer());
      sizes.push_back(size);
      if (!accept(',')) {
        AXLE_RETURN_IF_ERROR(expect(')'));
        break;
      }
    }
    return sizes;
  }
  Result<NpyType> type() {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '(')) {
      return invalid_argument_error("structured .npy types are not supported").with_hint("save one field as a plain array");
    }
    AXLE_ASSIGN_OR_RETURN(std::string_view descr, quoted());
    const std::string shown = printable(descr, 40);
    NpyType type;
    if (!descr.empty() && std::string_view("<>|=").find(descr.front()) != std::string_view::npos) {
      type.order = descr.front() == '=' ? '<' : descr.front();
      descr.remove_prefix(1);
    }
    if (descr.empty()) return refuse("an empty type");
    type.kind = descr.front();
    descr.remove_prefix(1);
    if (type.kind == 'O') {
      return invalid_argument_error("object arrays are not supported").with_hint("save the array with a plain type");
    }
    const auto end = std::from_chars(descr.data(), descr.data() + descr.size(), type.size);
    if (end.ec != std::errc() || end.ptr != descr.data() + descr.size() || type.size < 0) {
      return invalid_argument_error(fmt::format("the .npy type '{}' is not supported", shown));
    }
    return type;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<NpyHeader> parse_npy_header(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic.substr(0, std::min(text.size(), kMagic.size())))) {
    return invalid_argument_error("not an .npy file: it does not begin with \\x93NUMPY");
  }
  if (text.size() < 10) return data_loss_error(fmt::format("the .npy file is truncated: it has {} bytes", text.size()));
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(text[i])); };
  const size_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0) {
    return invalid_argument_error(fmt::format("version {}.{} of the .npy format is not supported", major, byte(7)));
  }
  const size_t begin = major == 1 ? 10 : 12;
  if (text.size() < begin) return data_loss_error("the .npy file is truncated in its header");
  const size_t length = major == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (length > kMaxHeaderBytes) {
    return invalid_argument_error(fmt::format("the .npy header claims {} bytes, the limit is {}", length, kMaxHeaderBytes));
  }
  if (text.size() - begin < length) return data_loss_error("the .npy file is truncated in its header");
  AXLE_ASSIGN_OR_RETURN(NpyHeader header, HeaderParser(text.substr(begin, length)).parse());
  header.data_offset = begin + length;
  return header;
}

Result<std::string> format_npy_header(const std::string& descr, std::span<const int64_t> shape) {
  std::string sizes;
  for (const int64_t size : shape) sizes += fmt::format("{}, ", size);
  // Python writes (), (2,) and (2, 3).
  if (sizes.size() >= 2) sizes.resize(sizes.size() - (shape.size() == 1 ? 1 : 2));
  std::string dictionary = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
  const size_t unpadded = 10 + dictionary.size() + 1;
  dictionary.append((64 - unpadded % 64) % 64, ' ');
  dictionary += '\n';
  if (dictionary.size() > 0xFFFF) return invalid_argument_error("the shape has too many dimensions for an .npy file");
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return header + dictionary;
}

}  // namespace axle
