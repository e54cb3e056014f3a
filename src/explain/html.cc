#include "explain/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"

namespace axle::html {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2126;--dim:#646b75;--line:#dfe2e6;--accent:#1f6feb;--good:#1a7f37;
--bad:#b3261e;--warn:#9a6700;--bar:#aab4c0;--k0:#1f6feb;--k1:#8250df;--k2:#1a7f37;--k3:#bf5a00;--k4:#8a939e}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2127;--ink:#e4e7eb;--dim:#98a2ad;--line:#313840;--accent:#6cabff;
--good:#56c271;--bad:#ff8a80;--warn:#e2b340;--bar:#55616f;--k0:#4b8df0;--k1:#a585f0;--k2:#48a864;--k3:#d98a3d;--k4:#6d7782}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.45rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:32px 0 10px}
p{margin:6px 0}
code,pre{font:13px/1.45 ui-monospace,"SF Mono",Menlo,Consolas,monospace;unicode-bidi:isolate}
code{overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0 0}
.dim{color:var(--dim)}
.lead{font-size:1.05rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:18px 0 0}
.tile,.card,details{background:var(--card);border:1px solid var(--line);border-radius:8px}
.tile{padding:10px 14px}
.tile b{display:block;font-size:1.08rem;font-weight:600;overflow-wrap:anywhere}
.tile span{color:var(--dim);font-size:.85rem}
.card{padding:12px 14px;margin:0 0 10px;overflow-wrap:anywhere}
.warn{border-left:4px solid var(--warn)}
.flow{display:flex;flex-wrap:wrap;align-items:stretch;gap:8px}
.flow>.card{flex:1 1 180px;margin:0}
.flow>.arrow{align-self:center;color:var(--dim)}
details{margin:0 0 8px;padding:0 14px}
summary{cursor:pointer;padding:10px 0;overflow-wrap:anywhere}
details[open]{padding-bottom:12px}
.rows,.flow,.scroll{margin-bottom:8px}
.rows{border:1px solid var(--line);border-radius:8px;background:var(--card);overflow:hidden}
.row{display:grid;grid-template-columns:minmax(200px,1.1fr) minmax(150px,1fr) minmax(220px,1.6fr);gap:4px 16px;padding:9px 14px;
border-top:1px solid var(--line)}
.row:first-child{border-top:0}
.chosen{background:color-mix(in srgb,var(--accent) 9%,transparent)}
.badge{display:inline-block;border-radius:10px;padding:0 8px;font-size:.78rem;border:1px solid currentColor;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.amber{color:var(--warn)}.accent{color:var(--accent)}
.num{font-variant-numeric:tabular-nums}
svg{display:block;width:100%;overflow:hidden}
.bar{height:14px;margin-top:5px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 12px;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{color:var(--dim);font-weight:500;border-top:0;white-space:nowrap}
td.r,th.r{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.lane text{font:11px system-ui,sans-serif;fill:#fff}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;color:var(--dim);font-size:.85rem;margin:8px 0}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
footer{margin-top:40px;color:var(--dim);font-size:.82rem;overflow-wrap:anywhere}
@media (max-width:700px){main{padding:16px 12px 32px}.row{grid-template-columns:1fr;padding:10px 12px}.flow{flex-direction:column}.flow>.card{flex:none}
.flow>.arrow{transform:rotate(90deg)}}
@media print{details{break-inside:avoid}}
)";

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

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t size = character_at(text, at);
    const std::string_view character = text.substr(at, std::max<size_t>(size, 1));
    at += character.size();
    if (size == 0 || is_deceptive(character)) {
      out += kReplacement;
    } else if (character == "&") {
      out += "&amp;";
    } else if (character == "<") {
      out += "&lt;";
    } else if (character == ">") {
      out += "&gt;";
    } else if (character == "\"") {
      out += "&quot;";
    } else if (character == "'") {
      out += "&#39;";
    } else {
      out += character;
    }
  }
  return out;
}

std::string code(std::string_view text) { return "<code>" + escaped(text) + "</code>"; }

std::string section(std::string_view heading, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section><h2>{}</h2>\n{}</section>\n", escaped(heading), body);
}

std::string folded(const std::string& summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>{}</details>\n", summary, body);
}

std::string percent(double part, double whole) {
  const double value = whole > 0 && std::isfinite(part) ? 100 * part / whole : 0;
  return fmt::format("{:.3f}%", std::clamp(value, 0.0, 100.0));
}

std::string page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style></head>\n<body><main>\n{}</main></body></html>\n",
      escaped(title), kStyle, body);
}

}  // namespace axle::html
