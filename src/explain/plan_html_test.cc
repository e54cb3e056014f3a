#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "axle/explain.h"
#include "base/testing/status_matchers.h"
#include "explain/html.h"

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

// Every element that was opened is closed, in order.
void expect_balanced(const std::string& page) {
  std::vector<std::string> open;
  static const std::regex tag(R"(<(/?)([a-zA-Z0-9]+)([^>]*)>)");
  for (std::sregex_iterator it(page.begin(), page.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2], rest = (*it)[3];
    if (rest.ends_with('/') || name == "meta" || name == "br") continue;
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
  const std::string page = page_of(small_plan());
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy\" content=\"default-src 'none'"));
  for (const char* word : {"<script", "http://", "https://", "src=", "href=", "url(", "@import", "<link", "<img", "<iframe"}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
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
  EXPECT_THAT(page, Not(HasSubstr("<script")));
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

TEST(HtmlTimeline, DrawsTheLastRunWithKernelsBelowTheirPartition) {
  TraceRecorder recorder(64);
  const auto add = [&](TraceCategory category, const char* name, int64_t start_ns, int64_t duration_ns) {
    TraceEvent event;
    event.category = category;
    event.name = recorder.intern(name);
    event.start_ns = start_ns;
    event.duration_ns = duration_ns;
    event.thread = 7;
    recorder.record(event);
  };
  add(TraceCategory::kRun, "run", 1000, 1000);
  add(TraceCategory::kKernel, "first", 1000, 500);
  add(TraceCategory::kRun, "run", 5000, 1000);
  add(TraceCategory::kPartition, "part", 5100, 800);
  add(TraceCategory::kKernel, "conv <1>", 5100, 600);
  add(TraceCategory::kKernel, "relu", 5700, 100);
  const std::string html = html::timeline(recorder.log());
  EXPECT_THAT(html, HasSubstr("thread 7"));
  EXPECT_THAT(html, Not(HasSubstr("first")));
  EXPECT_THAT(html,
              HasSubstr("<svg x=\"10.000%\" y=\"40\" width=\"60.000%\" height=\"18\"><title>conv &lt;1&gt;: 600 ns</title>"));
  EXPECT_THAT(html, HasSubstr("<svg x=\"70.000%\" y=\"40\" width=\"10.000%\""));
  EXPECT_THAT(html, HasSubstr("60.0 %"));
  expect_balanced(html);
}

TEST(HtmlTimeline, IsEmptyWithoutARun) { EXPECT_EQ(html::timeline(TraceLog()), ""); }

}  // namespace
}  // namespace axle
