#include "explain/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/hash.h"
#include "base/utf8.h"
#include "explain/page_files.h"

namespace axle::html {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr size_t kMostOfCode = 240;
constexpr int kColors = 7;

// Length of the character at `at`, 0 when it is not UTF-8.
size_t character_at(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return at + size <= text.size() && is_valid_utf8(text.substr(at, size)) ? size : 0;
}

// Characters that change how their neighbours are read, or that no reader sees.
bool is_deceptive(std::string_view character) {
  if (character.size() == 1) {
    const auto c = static_cast<unsigned char>(character[0]);
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  }
  if (character.size() == 2) return character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(character[1]), third = static_cast<unsigned char>(character[2]);
  const bool embeds = second == 0x80 && ((third >= 0x8B && third <= 0x8F) || (third >= 0xA8 && third <= 0xAE));
  return embeds || (second == 0x81 && third >= 0xA0 && third <= 0xAF);
}

// The first `most` characters of clean text, as bytes.
size_t bytes_of(std::string_view text, size_t most) {
  size_t at = 0;
  for (; at < text.size() && most > 0; --most) at += character_at(text, at);
  return at;
}

std::string_view entity_of(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return "";
  }
}

std::string base64(const std::array<uint8_t, 32>& bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = at; i < at + 3; ++i) group = group << 8 | (i < bytes.size() ? bytes[i] : 0U);
    for (int shift = 18; shift >= 0; shift -= 6) out += kDigits[group >> shift & 63U];
  }
  out.back() = '=';  // 32 bytes: the last group holds two
  return out;
}

}  // namespace

std::string plain(std::string_view text, size_t most) {
  std::string out;
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    const size_t size = character_at(text, at);
    const std::string_view character = text.substr(at, std::max<size_t>(size, 1));
    at += character.size();
    out += size == 0 || is_deceptive(character) ? kReplacement : character;
  }
  if (count <= most) return out;
  const size_t head = bytes_of(out, most * 2 / 3), tail = bytes_of(out, count - most / 4);
  return fmt::format("{}\u2026{} ({} characters)", out.substr(0, head), out.substr(tail), count);
}

std::string escaped(std::string_view text, size_t most) {
  std::string out;
  for (const char c : plain(text, most)) {
    const std::string_view entity = entity_of(c);
    if (entity.empty())
      out += c;
    else
      out += entity;
  }
  return out;
}

std::string code(std::string_view text) { return "<code>" + escaped(text, kMostOfCode) + "</code>"; }

std::string section(std::string_view id, std::string_view heading, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", id, escaped(heading), body);
}

std::string folded(const std::string& summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>{}</details>\n", summary, body);
}

std::string scrolled_table(const std::string& head, const std::string& rows) {
  return fmt::format("<div class=\"scroll\"><table><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n", head, rows);
}

std::string percent(double part, double whole) {
  const double value = whole > 0 && std::isfinite(part) ? 100 * part / whole : 0;
  return fmt::format("{:.3f}%", std::clamp(value, 0.0, 100.0));
}

std::string count_text(uint64_t count) {
  const auto value = static_cast<double>(count);
  if (count < 10'000) return std::to_string(count);
  if (count < 1'000'000) return fmt::format("{:.3g} thousand", value / 1e3);
  if (count < 1'000'000'000) return fmt::format("{:.3g} million", value / 1e6);
  return fmt::format("{:.4g} billion", value / 1e9);
}

std::string short_count(double count) {
  constexpr std::array<std::string_view, 6> kUnits = {"", " k", " M", " G", " T", " P"};
  size_t unit = 0;
  for (; count >= 999.5 && unit + 1 < kUnits.size(); ++unit) count /= 1000;
  return fmt::format("{:.3g}{}", count, kUnits[unit]);
}

std::string data_block(std::string_view id, const Json& data) {
  std::string out = fmt::format("<script type=\"application/json\" id=\"{}\">", id);
  for (const char c : data.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&')
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));  // only ever within a JSON string
    else
      out += c;
  }
  return out + "</script>\n";
}

std::string page(std::string_view title, const std::string& body) {
  const std::string hash = base64(sha256_of(kPageScript).bytes());
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style></head>\n<body><main>\n{}</main>\n<script>{}</script></body></html>\n",
      hash, escaped(title, kMostOfCode), kPageStyle, body, kPageScript);
}

std::string place_class(int32_t place) { return place < 0 ? "px" : "p" + std::to_string(place % kColors); }

std::string partition_class(const PageFacts& facts, int32_t partition) {
  const bool known = partition >= 0 && static_cast<size_t>(partition) < facts.place_of_partition.size();
  return place_class(known ? facts.place_of_partition[static_cast<size_t>(partition)] : -1);
}

std::string place_legend(const PageFacts& facts) {
  std::string out = "<div class=\"legend\">";
  for (size_t i = 0; i < facts.places.size(); ++i) {
    const PagePlace& place = facts.places[i];
    out += fmt::format("<span><i class=\"{}\"></i>{} on {}{}</span>", place_class(static_cast<int32_t>(i)),
                       escaped(place.engine, 60), escaped(place.resource, 60),
                       place.simulated ? " <span class=\"badge amber\">simulated</span>" : "");
  }
  return out + "</div>\n";
}

bool is_simulated(const PageFacts& facts, std::string_view candidate) {
  const auto parsed = parse_candidate(candidate);
  if (!parsed.ok()) return false;
  for (const PagePlace& place : facts.places) {
    if (place.engine == parsed->engine && place.resource == parsed->resource) return place.simulated;
  }
  if (facts.input == nullptr) return false;
  const EngineFacts* engine = find_engine(*facts.input, parsed->engine);
  const CapabilityFacts* capability = engine == nullptr ? nullptr : find_capability(*engine, parsed->resource);
  const Resource* resource = find_resource(facts.input->machine, parsed->resource);
  return (capability != nullptr && capability->simulated) || (resource != nullptr && resource->simulated);
}

}  // namespace axle::html
