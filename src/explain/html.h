// Pieces of the one-page report: escaping, the page around its sections, and the sections that are long enough for a file.
// A page is one file: no scripts, no requests, and a content security policy that says so to the browser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/plan.h"
#include "trace/recorder.h"

namespace axle::html {

// `text` as HTML text or attribute value: markup is escaped; control characters, bidirectional overrides and broken UTF-8 are
// shown as the replacement character.
std::string escaped(std::string_view text);
// A name in fixed width that may break anywhere; its direction stays its own.
std::string code(std::string_view text);
// A section with a heading; "" when the body is empty.
std::string section(std::string_view heading, const std::string& body);
// Folded until it is clicked. `summary` is HTML.
std::string folded(const std::string& summary, const std::string& body);
// "12.3%" of a bar or a timeline, bounded to [0, 100].
std::string percent(double part, double whole);

// A whole document around `body`.
std::string page(std::string_view title, const std::string& body);

// Every candidate with its verdict, time, interval and reason.
std::string candidates(const Plan& plan);
// The nodes that stopped candidates, folded.
std::string node_reasons(const Plan& plan);
// The last run that was recorded: one lane per thread and depth, and the kernels that took longest. "" without one.
std::string timeline(const TraceLog& log);

}  // namespace axle::html
