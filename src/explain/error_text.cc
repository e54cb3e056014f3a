#include "axle/explain.h"
#include "base/json.h"

namespace axle {

std::string render_error_text(const Status& status) {
  // Message up to its first ": " is what failed; the rest is why. One line each, then what to do.
  std::string text = "axle: " + status.message() + "\n";
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
