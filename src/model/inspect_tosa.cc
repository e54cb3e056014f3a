// MLIR's text form, of TOSA and of TPU-MLIR's top dialect: the signature of the first public function, and what it is made of. What
// stands inside is the vendor's to read.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

#include "base/text.h"
#include "model/inspect.h"

namespace axle {
namespace {

constexpr std::string_view kFunction = "func.func @";
constexpr std::string_view kWeightFile = "module.weight_file";
constexpr size_t kMaxPorts = 4096;
constexpr size_t kMaxRank = 16;

struct ElementType {
  std::string_view name;
  DataType dtype;
};
constexpr ElementType kTypes[] = {{"i1", DataType::kBool},     {"i8", DataType::kInt8},     {"i16", DataType::kInt16},
                                  {"i32", DataType::kInt32},   {"i64", DataType::kInt64},   {"ui8", DataType::kUint8},
                                  {"f16", DataType::kFloat16}, {"f32", DataType::kFloat32}, {"bf16", DataType::kBfloat16}};

// Reads the signature from left to right.
class SignatureReader {
 public:
  SignatureReader(std::string_view text, size_t at, const std::string& path) : text_(text), at_(at), path_(path) {}

  // Between parentheses attributes may follow a type; after the last result "{" opens the body.
  void set_in_list(bool in_list) noexcept { in_list_ = in_list; }

  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  // "%arg0" -> "arg0".
  Result<std::string> name() {
    if (!take("%")) return wrong("an argument");
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) ++at_;
    if (at_ == begin || at_ - begin > 256) return wrong("an argument's name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  // "tensor<1x8x?xf32>", and the attributes "{...}" and the place "loc(...)" after it.
  Result<IoSpec> tensor() {
    if (!take("tensor<")) return wrong("a tensor");
    const size_t end = text_.find('>', at_);
    if (end == std::string_view::npos || end - at_ > 512) return wrong("the end of a tensor's type");
    std::vector<std::string_view> pieces = split(text_.substr(at_, end - at_), 'x');
    at_ = end + 1;
    IoSpec spec;
    const auto type =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const ElementType& t) { return t.name == pieces.back(); });
    if (type != std::end(kTypes)) spec.dtype = type->dtype;
    pieces.pop_back();
    if (pieces.size() > kMaxRank) return wrong("fewer axes");
    for (const std::string_view piece : pieces) {
      Dim dim;
      const auto [last, code] = std::from_chars(piece.data(), piece.data() + piece.size(), dim.size);
      if (piece == "?")
        dim.size = -1;
      else if (piece == "*")
        spec.rank_known = false;
      else if (code != std::errc() || last != piece.data() + piece.size() || dim.size < 0)
        return wrong("a size");
      spec.shape.push_back(dim);
    }
    if (!spec.rank_known) spec.shape.clear();
    AXLE_RETURN_IF_ERROR(skip_attributes());
    AXLE_RETURN_IF_ERROR(skip_place());
    return spec;
  }

  Status wrong(std::string_view wanted) const {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n');
    return invalid_argument_error(fmt::format("{}:{}: the function's signature is not understood: {} is wanted before \"{}\"",
                                              path_, line, wanted,
                                              printable(text_.substr(std::min(at_, text_.size()), 40), 40)))
        .with_hint("axle reads functions of tensors: func.func @main(%arg0: tensor<1x8xi8>) -> tensor<1x8xi8>");
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  Status skip_attributes() {
    skip_blanks();
    return in_list_ ? skip_nested('{', '}', "the end of attributes") : ok_status();
  }
  Status skip_place() { return in_list_ && take("loc") ? skip_nested('(', ')', "the end of a place") : ok_status(); }

  // What stands between braces or parentheses here, nested ones too; one within quotes is none.
  Status skip_nested(char open, char close, std::string_view wanted) {
    if (at_ >= text_.size() || text_[at_] != open) return ok_status();
    int depth = 0;
    bool quoted = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') quoted = !quoted;
      if (!quoted && c == open) ++depth;
      if (!quoted && c == close && --depth == 0) return ++at_, ok_status();
    }
    return wrong(wanted);
  }

  std::string_view text_;
  size_t at_;
  const std::string& path_;
  bool in_list_ = false;
};

Status read_arguments(SignatureReader& reader, std::vector<IoSpec>& inputs) {
  if (!reader.take("(")) return reader.wrong("\"(\"");
  reader.set_in_list(true);
  while (!reader.take(")")) {
    if (!inputs.empty() && !reader.take(",")) return reader.wrong("\",\"");
    if (inputs.size() >= kMaxPorts) return resource_exhausted_error("a function has more than 4096 arguments");
    AXLE_ASSIGN_OR_RETURN(std::string name, reader.name());
    if (!reader.take(":")) return reader.wrong("\":\"");
    AXLE_ASSIGN_OR_RETURN(IoSpec spec, reader.tensor());
    spec.name = std::move(name);
    inputs.push_back(std::move(spec));
  }
  reader.set_in_list(false);
  return ok_status();
}

Status read_results(SignatureReader& reader, std::vector<IoSpec>& outputs) {
  if (!reader.take("->")) return ok_status();
  const bool list = reader.take("(");
  reader.set_in_list(list);
  do {
    if (outputs.size() >= kMaxPorts) return resource_exhausted_error("a function has more than 4096 results");
    AXLE_ASSIGN_OR_RETURN(IoSpec spec, reader.tensor());
    spec.name = fmt::format("output{}", outputs.size());
    outputs.push_back(std::move(spec));
  } while (list && reader.take(","));
  if (list && !reader.take(")")) return reader.wrong("\")\"");
  return ok_status();
}

// Of the dialect: "tosa.".
void count_operators(std::string_view text, std::string_view dialect, Inspection& inspection) {
  for (size_t at = text.find(dialect); at != std::string_view::npos; at = text.find(dialect, at + dialect.size())) {
    size_t end = at + dialect.size();
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
    const bool begins = at == 0 || std::isspace(static_cast<unsigned char>(text[at - 1])) != 0 || text[at - 1] == '"';
    if (begins && end - at < 128) ++inspection.op_counts[std::string(text.substr(at, end - at))];
  }
}

Result<Inspection> inspect_mlir(Bytes mlir, std::string_view dialect, const std::string& path, const ModelLimits& limits) {
  if (mlir.size() > limits.max_structure_bytes)
    return resource_exhausted_error(
        fmt::format("{} has {} bytes; the limit is {}", path, mlir.size(), limits.max_structure_bytes));
  const std::string_view text(reinterpret_cast<const char*>(mlir.data()), mlir.size());
  const size_t function = text.find(kFunction);
  if (function == std::string_view::npos)
    return invalid_argument_error(fmt::format("{} holds no public function (func.func @main)", path));
  Inspection inspection;
  const size_t open = text.find('(', function);
  if (open == std::string_view::npos)
    return invalid_argument_error(fmt::format("{}: the function has no arguments in parentheses", path));
  inspection.name = printable(text.substr(function + kFunction.size(), open - function - kFunction.size()), 64);
  SignatureReader reader(text, open, path);
  AXLE_RETURN_IF_ERROR(read_arguments(reader, inspection.inputs));
  AXLE_RETURN_IF_ERROR(read_results(reader, inspection.outputs));
  count_operators(text, dialect, inspection);
  return inspection;
}

// "module.weight_file = "x.npz"": x.npz; "" without one.
std::string weight_file(std::string_view text) {
  const size_t key = text.find(kWeightFile);
  if (key == std::string_view::npos) return "";
  const size_t open = text.find('"', key);
  const size_t close = open == std::string_view::npos ? open : text.find('"', open + 1);
  const bool assigned =
      close != std::string_view::npos && trim(text.substr(key + kWeightFile.size(), open - key - kWeightFile.size())) == "=";
  return assigned && close - open <= 256 ? std::string(text.substr(open + 1, close - open - 1)) : "";
}

}  // namespace

Result<Inspection> inspect_tosa(Bytes mlir, const std::string& path, const ModelLimits& limits) {
  return inspect_mlir(mlir, "tosa.", path, limits);
}

Result<Inspection> inspect_top(Bytes mlir, const std::string& path, const ModelLimits& limits) {
  AXLE_ASSIGN_OR_RETURN(Inspection inspection, inspect_mlir(mlir, "top.", path, limits));
  inspection.metadata["weight_file"] = weight_file({reinterpret_cast<const char*>(mlir.data()), mlir.size()});
  return inspection;
}

}  // namespace axle
