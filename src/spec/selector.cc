#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "axle/device.h"
#include "base/json.h"

namespace axle {
namespace {

constexpr size_t kMaxSelectorBytes = 256;
constexpr int32_t kMaxIndex = 65535;
constexpr const char* kGrammar =
    "a selector is kind[:index][/part][@vendor][#tag...], for example npu:0, gpu@nvidia, gpu#integrated, cpu:0/1, igpu, "
    "cuda:0, auto";
const std::vector<std::string> kKinds = {"cpu", "gpu", "npu", "pim", "remote", "hybrid", "igpu", "cuda", "auto"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '+';
}

// Walks the text once; every failure knows its column.
class SelectorParser {
 public:
  explicit SelectorParser(std::string_view text) : text_(text) { selector_.text = std::string(text); }

  Result<Selector> parse() {
    if (text_.empty()) return fail("it is empty");
    if (text_.size() > kMaxSelectorBytes)
      return invalid_argument_error(
                 fmt::format("a selector has {} characters; the limit is {}", text_.size(), kMaxSelectorBytes))
          .with_hint(kGrammar);
    AXLE_RETURN_IF_ERROR(parse_kind());
    AXLE_RETURN_IF_ERROR(parse_index());
    AXLE_RETURN_IF_ERROR(parse_part());
    AXLE_RETURN_IF_ERROR(parse_vendor());
    AXLE_RETURN_IF_ERROR(parse_tags());
    if (at_ < text_.size()) return unexpected();
    AXLE_RETURN_IF_ERROR(finish_special_kinds());
    return std::move(selector_);
  }

 private:
  Status fail(const std::string& what) const {
    return invalid_argument_error(fmt::format("selector '{}': {} (column {})", printable(), what, at_ + 1)).with_hint(kGrammar);
  }

  Status unexpected() const {
    const char c = text_[at_];
    const bool known = c == ':' || c == '/' || c == '@' || c == '#';
    if (known) return fail(fmt::format("'{}' stands in the wrong place", c));
    return fail(is_word_char(c) ? fmt::format("unexpected '{}'", c)
                                : fmt::format("unexpected character 0x{:02x}", static_cast<unsigned char>(c)));
  }

  std::string printable() const {
    std::string out;
    for (const char c : text_) out += (c >= 0x20 && c < 0x7f) ? c : '?';
    return out;
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string take_word() {
    std::string word;
    while (at_ < text_.size() && is_word_char(text_[at_])) word += lower(text_[at_++]);
    return word;
  }

  Status take_number(const char* what, std::optional<int32_t>& out) {
    const size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    int32_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + start, text_.data() + at_, value);
    if (start == at_) return fail(fmt::format("{} must be a number", what));
    if (error != std::errc() || value > kMaxIndex) {
      at_ = start;
      return fail(fmt::format("{} is larger than {}", what, kMaxIndex));
    }
    out = value;
    return ok_status();
  }

  Status parse_kind() {
    kind_word_ = take_word();
    if (kind_word_.empty()) return fail("it must begin with a kind");
    if (kind_word_ == "auto" || kind_word_ == "cuda" || kind_word_ == "igpu") return ok_status();
    selector_.kind = parse_resource_kind(kind_word_);
    if (selector_.kind) return ok_status();
    at_ = 0;
    const std::string near = nearest_word(kind_word_, kKinds);
    return fail(fmt::format("unknown kind '{}'{}", kind_word_, near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
  }

  Status parse_index() {
    if (!take(':')) return ok_status();
    return take_number("the index after ':'", selector_.index);
  }

  Status parse_part() {
    if (!take('/')) return ok_status();
    if (!selector_.index) {
      --at_;
      return fail("a part needs an index, as in cpu:0/1");
    }
    return take_number("the part after '/'", selector_.part);
  }

  Status parse_vendor() {
    if (!take('@')) return ok_status();
    selector_.vendor = take_word();
    return selector_.vendor.empty() ? fail("the vendor after '@' is missing") : ok_status();
  }

  Status parse_tags() {
    while (take('#')) {
      std::string tag = take_word();
      if (tag.empty()) return fail("the tag after '#' is missing");
      selector_.tags.push_back(std::move(tag));
    }
    return ok_status();
  }

  Status finish_special_kinds() {
    if (kind_word_ == "auto" && kind_word_.size() != text_.size()) {
      at_ = kind_word_.size();
      return fail("'auto' stands alone");
    }
    if (kind_word_ == "igpu") {
      selector_.kind = ResourceKind::kGpu;
      selector_.tags.insert(selector_.tags.begin(), "integrated");
    }
    if (kind_word_ == "cuda") return finish_cuda();
    return ok_status();
  }

  Status finish_cuda() {
    at_ = kind_word_.size();
    if (selector_.part) return fail("'cuda' takes no part");
    if (!selector_.vendor.empty() && selector_.vendor != "nvidia")
      return fail(fmt::format("'cuda' is always @nvidia, not '@{}'", selector_.vendor));
    selector_.kind = ResourceKind::kGpu;
    selector_.vendor = "nvidia";
    selector_.cuda_index = std::exchange(selector_.index, std::nullopt);
    return ok_status();
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string kind_word_;
  Selector selector_;
};

}  // namespace

Result<Selector> parse_selector(std::string_view text) { return SelectorParser(text).parse(); }

bool matches(const Selector& selector, const Resource& resource) {
  if (selector.kind && *selector.kind != resource.kind) return false;
  if (selector.index && *selector.index != resource.index) return false;
  if (selector.part && *selector.part != resource.part) return false;
  if (!selector.vendor.empty() && selector.vendor != resource.vendor) return false;
  if (selector.cuda_index) {
    const auto visible = resource.attributes.find("env.cuda_index");
    if (visible == resource.attributes.end() || visible->second != std::to_string(*selector.cuda_index)) return false;
  }
  return std::all_of(selector.tags.begin(), selector.tags.end(), [&](const std::string& tag) {
    return std::find(resource.tags.begin(), resource.tags.end(), tag) != resource.tags.end();
  });
}

std::vector<std::string> select(const Selector& selector, const Machine& machine) {
  std::vector<std::string> ids;
  for (const Resource& resource : machine.resources) {
    if (matches(selector, resource)) ids.push_back(resource.id);
  }
  return ids;
}

}  // namespace axle
