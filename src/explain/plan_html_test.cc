#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "axle/explain.h"
#include "base/hash.h"
#include "base/testing/status_matchers.h"
#include "explain/html.h"
#include "explain/testing/page_case.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Decision decision(const std::string& candidate, DecisionVerdict verdict, const std::string& reason, int64_t p50_ns = 0) {
  Decision made;
  made.candidate = candidate;
  made.verdict = verdict;
  made.reason = reason;
  if (p50_ns > 0) {
    made.evidence.emplace();
    made.evidence->p50_ns = p50_ns;
    made.evidence->runs = 120;
  }
  return made;
}

Plan small_plan() {
  Plan plan;
  plan.model_digest = "sha256:m";
  plan.judged_shapes = "x:f32[1,3]";
  plan.expected_ns = 2'000'000;
  plan.partitions.resize(1);
  plan.partitions[0].candidate = {"fast", "cpu:0", "f32", 2, "default"};
  plan.partitions[0].expected_ns = 2'000'000;
  plan.partitions[0].expected_from_evidence = true;
  plan.partitions[0].options = {{"streams", "1"}};
  plan.decisions.push_back(decision("fast@cpu:0/f32/t2/default", DecisionVerdict::kChosen, "fastest of 2", 2'000'000));
  plan.decisions.push_back(decision("slow@cpu:0/f32/t2/default", DecisionVerdict::kRejected, "slower", 3'000'000));
  plan.decisions.back().evidence->interval_low = 1.4;
  plan.decisions.back().evidence->interval_high = 1.6;
  plan.decisions.push_back(decision("absent", DecisionVerdict::kRejected, "absent is not installed"));
  return plan;
}

std::string page_of(const Plan& plan) {
  RunDocument document;
  document.plan = &plan;
  const auto page = render_plan_html(document);
  EXPECT_TRUE(page.ok()) << page.status().to_string();
  return page.value_or("");
}

// The page without what is between its script and style tags.
std::string markup_of(const std::string& page) {
  std::string out;
  size_t at = 0;
  while (true) {
    const size_t next = std::min(page.find("<script", at), page.find("<style", at));
    if (next == std::string::npos) return out + page.substr(at);
    const size_t open = page.find('>', next) + 1;
    out += page.substr(at, open - at);
    at = page.find("</", open);
    if (at == std::string::npos) return out;
  }
}

size_t count_of(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

// Every element that was opened is closed, in order.
void expect_balanced(const std::string& page) {
  const std::string markup = markup_of(page);
  std::vector<std::string> open;
  static const std::regex tag(R"(<(/?)([a-zA-Z0-9]+)([^>]*)>)");
  for (std::sregex_iterator it(markup.begin(), markup.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2], rest = (*it)[3];
    if (rest.ends_with('/') || name == "meta" || name == "br" || name == "input") continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << "</" << name << "> closes nothing";
      ASSERT_EQ(open.back(), name);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty()) << open.size() << " elements stay open, first " << open.front();
}

std::string full_page(const Plan& plan, const PlannerInput& input, const TraceLog* log = nullptr) {
  RunDocument document;
  document.plan = &plan;
  const auto page = html::plan_page(document, &input, log);
  EXPECT_TRUE(page.ok()) << page.status().to_string();
  return page.value_or("");
}

TEST(PlanHtml, ShowsWhatRunsWhatDoesNotAndWhy) {
  const std::string page = page_of(small_plan());
  EXPECT_THAT(page, HasSubstr("<code>fast@cpu:0/f32/t2/default</code>"));
  EXPECT_THAT(page, HasSubstr("fastest of 2"));
  EXPECT_THAT(page, HasSubstr("2.00 ms"));
  EXPECT_THAT(page, HasSubstr("1.40x to 1.60x"));
  EXPECT_THAT(page, HasSubstr("absent is not installed"));
  EXPECT_THAT(page, HasSubstr("x:f32[1,3]"));
  EXPECT_THAT(page, HasSubstr("streams = 1"));
  expect_balanced(page);
}

TEST(PlanHtml, AsksForNothingFromOutside) {
  const TraceLog log = testing::recorded_run({"conv1"});
  const std::string page = full_page(testing::two_part_plan(), testing::two_part_input(), &log);
  expect_balanced(page);
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy\" content=\"default-src 'none'"));
  for (const char* word : {"http://", "https://", "src=", "url(", "@import", "<link", "<img", "<iframe", "onclick"}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
  EXPECT_EQ(count_of(page, "href="), count_of(page, "href=\"#")) << "links lead only within the page";
}

TEST(PlanHtml, ThePolicyNamesItsOneScriptByHash) {
  const std::string page = html::page("t", "b");
  const size_t from = page.find("<script>") + 8, to = page.find("</script>");
  ASSERT_NE(to, std::string::npos);
  std::string hash = "script-src 'sha256-";
  const auto digest = sha256_of(std::string_view(page).substr(from, to - from)).bytes();
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t bit = 0; bit < 258; bit += 6) {
    unsigned value = 0;
    for (size_t i = bit; i < bit + 6; ++i) value = value << 1 | (i < 256 ? digest[i / 8] >> (7 - i % 8) & 1U : 0U);
    hash += digits[value];
  }
  EXPECT_THAT(page, HasSubstr(hash + "='"));
  EXPECT_EQ(count_of(page, "<script"), 1U);
}

TEST(PlanHtml, HostileNamesStayText) {
  const std::string hostile = "\"><script>alert('x')</script>&\x01\xFF\xE2\x80\xAE.onnx";
  Plan plan = small_plan();
  plan.partitions[0].candidate.preset = hostile;
  plan.partitions[0].options = {{hostile, hostile}};
  plan.partitions[0].simulated = true;
  plan.decisions[1].candidate = hostile;
  plan.decisions[1].reason = hostile;
  plan.decisions[1].nodes = {{hostile, hostile, hostile, hostile}};
  plan.substitutions = {{hostile, hostile, hostile, hostile}};
  plan.notes = {hostile};
  plan.judged_shapes = hostile;
  plan.model_digest = hostile;
  const std::string page = page_of(plan);
  EXPECT_EQ(count_of(page, "<script"), 1U);  // its own
  EXPECT_THAT(page, Not(HasSubstr("\x01")));
  EXPECT_THAT(page, Not(HasSubstr("\xE2\x80\xAE")));
  EXPECT_THAT(page, HasSubstr("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
  expect_balanced(page);
}

TEST(PlanHtml, WithoutAPlanThereIsNoPage) {
  EXPECT_THAT(render_plan_html({}).status(), testing::StatusIs(StatusCode::kInvalidArgument, "no plan"));
}

TEST(HtmlEscaped, KeepsOtherLanguagesAndReplacesWhatIsNotText) {
  EXPECT_EQ(html::escaped("h\xC3\xA9llo \xE6\xA8\xA1\xE5\x9E\x8B \xF0\x9F\x9A\x80"),
            "h\xC3\xA9llo \xE6\xA8\xA1\xE5\x9E\x8B \xF0\x9F\x9A\x80");
  EXPECT_EQ(html::escaped("a\xC3"), "a\xEF\xBF\xBD");
  EXPECT_EQ(html::escaped("a\x80z"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(html::escaped(std::string("a\0b", 3)),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(html::escaped("a\tb\n"), "a\tb\n");
}

TEST(HtmlEscaped, KeepsBothEndsOfALongText) {
  const std::string name = std::string(5000, 'a') + "<b>" + std::string(5000, 'z');
  const std::string shown = html::escaped(name, 100);
  EXPECT_EQ(shown, std::string(66, 'a') + "\xE2\x80\xA6" + std::string(25, 'z') + " (10003 characters)");
  EXPECT_EQ(html::plain(std::string(100, 'x'), 100), std::string(100, 'x'));
}

}  // namespace
}  // namespace axle
