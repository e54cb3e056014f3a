// Pieces of the one-page report: escaping, the page around its sections, and the sections.
// A page is one file: it asks nothing of the network, its content security policy says so to the browser, and it runs one script,
// its own (page/page.js), which the policy names by hash. Without that script everything is still there to read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/page_facts.h"

namespace axle::html {

// `text` without what a reader cannot see or is misled by: control characters, bidirectional overrides and broken UTF-8 become
// the replacement character. More than `most` characters lose their middle: "encoder...output (10240 characters)".
std::string plain(std::string_view text, size_t most = 4096);
// The same as HTML text or attribute value.
std::string escaped(std::string_view text, size_t most = 4096);
// A name in fixed width that may break anywhere; its direction stays its own.
std::string code(std::string_view text);
// A section with a heading and an anchor; "" when the body is empty.
std::string section(std::string_view id, std::string_view heading, const std::string& body);
// Folded until it is clicked. `summary` is HTML.
std::string folded(const std::string& summary, const std::string& body);
// A table that scrolls within its card. `head` and `rows` are HTML.
std::string scrolled_table(const std::string& head, const std::string& rows);
// "12.3%" of a bar or a timeline, bounded to [0, 100].
std::string percent(double part, double whole);
// "1.25 million".
std::string count_text(uint64_t count);
// "207 M", "1.2 G": for labels.
std::string short_count(double count);
// Data for the page's script, as a block that is never executed.
std::string data_block(std::string_view id, const Json& data);

// A whole document around `body`.
std::string page(std::string_view title, const std::string& body);

// The colour class of a partition or a place: "p0" to "p6"; "px" without one.
std::string place_class(int32_t place);
std::string partition_class(const PageFacts& facts, int32_t partition);
// "openvino on cpu:0", one entry for each place with its colour.
std::string place_legend(const PageFacts& facts);
// Whether a candidate's resource is only simulated.
bool is_simulated(const PageFacts& facts, std::string_view candidate);

// Sections; "" where the facts say nothing of them.
std::string graph(const PageFacts& facts);  // the graph, with the details of each node
std::string transfers(const PageFacts& facts);  // what partitions hand over
std::string candidates(const PageFacts& facts);  // every candidate with its verdict, time, interval and reason
std::string node_reasons(const Plan& plan);  // the nodes that stopped candidates, folded
std::string roofline(const PageFacts& facts);  // what the machine could do, and where nodes and partitions stand
std::string timeline(const PageFacts& facts);  // the last run that was recorded: lanes, and the slowest kernels
std::string memory(const PageFacts& facts);  // weights, activations, measured peaks

// The page of a plan. INVALID_ARGUMENT without a plan.
Result<std::string> plan_page(const RunDocument& document, const PlannerInput* input, const TraceLog* log);

}  // namespace axle::html
