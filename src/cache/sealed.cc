#include "cache/sealed.h"

#include <fmt/core.h>

#include "base/hash.h"

namespace axle {
namespace {

std::string header_of(std::string_view kind, std::string_view payload) {
  return fmt::format("{} {}\n", kind, Sha256().update_field(kind).update(payload).finish().to_string());
}

}  // namespace

std::string seal(std::string_view kind, std::string_view payload) {
  std::string text = header_of(kind, payload);
  text += payload;
  return text;
}

Result<std::string_view> unseal(std::string_view kind, std::string_view text) {
  const size_t end = text.substr(0, kind.size() + 80).find('\n');
  if (!text.starts_with(kind) || end == std::string_view::npos) {
    return data_loss_error(fmt::format("does not start with \"{}\" and a digest", kind));
  }
  const std::string_view payload = text.substr(end + 1);
  if (text.substr(0, end + 1) != header_of(kind, payload)) {
    return data_loss_error("the content does not have the digest that its first line gives");
  }
  return payload;
}

}  // namespace axle
