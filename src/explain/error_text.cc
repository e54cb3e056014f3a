#include "axle/explain.h"
#include "base/json.h"
#include "base/text.h"

namespace axle {

namespace {

constexpr size_t kHeadBytes = 200, kTailBytes = 240;

// Where `text` may be cut near `at`: after a blank, never within a character.
size_t cut_near(std::string_view text, size_t at) {
  const size_t blank = text.find(' ', at);
  if (blank != std::string_view::npos && blank < at + 40) return blank;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

// What a library says in many lines in one: its beginning says what failed, its end why. --json does not shorten it.
std::string one_line(std::string_view message) {
  if (message.find('\n') == std::string_view::npos) return std::string(message);
  std::string line;
  for (const std::string_view piece : split(message, '\n')) {
    const std::string_view text = trim(piece);
    if (text.empty()) continue;
    if (!line.empty()) line += line.ends_with(':') || text.starts_with(':') ? " " : "; ";
    line += text;
  }
  if (line.size() <= kHeadBytes + kTailBytes + 80) return line;
  const size_t head = cut_near(line, kHeadBytes), tail = cut_near(line, line.size() - kTailBytes);
  return line.substr(0, head) + " ..." + (line[tail] == ' ' ? "" : " ") + line.substr(tail) + " (--json shows all of it)";
}

}  // namespace

std::string render_error_text(const Status& status) {
  // Message up to its first ": " is what failed; the rest is why. One line each, then what to do.
  std::string text = "axle: " + one_line(status.message()) + "\n";
  std::string second;
  if (status.family() != ErrorFamily::kNone) second = std::string(error_family_name(status.family())) + " error";
  if (status.vendor_code() != 0) {
    second += (second.empty() ? "" : ", ") + std::string("engine code ") + std::to_string(status.vendor_code());
  }
  if (!second.empty()) text += "  " + second + " (" + std::string(status_code_name(status.code())) + ")\n";
  if (!status.hint().empty()) text += "  try: " + status.hint() + "\n";
  return text;
}

std::string quoted_json(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string render_error_json(const Status& status) {
  Json details = Json::object();
  for (const auto& [key, value] : status.details()) details[key] = value;
  details["family"] = std::string(error_family_name(status.family()));
  if (status.vendor_code() != 0) details["vendor_code"] = status.vendor_code();
  const Json document = {{"error",
                          {{"code", std::string(status_code_name(status.code()))},
                           {"message", status.message()},
                           {"hint", status.hint()},
                           {"details", std::move(details)}}}};
  auto text = canonical_json(document);
  // A message with broken UTF-8 (from an engine) must still reach the caller.
  return text ? *text : document.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace axle
