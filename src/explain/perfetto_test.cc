#include "explain/perfetto.h"

#include <gmock/gmock.h>

#include "base/json.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

Plan two_partitions() {
  Plan plan;
  plan.model_digest = "sha256:m";
  plan.partitions.resize(2);
  plan.partitions[0].candidate = {"onnxruntime", "cpu:0", "f32", 2};
  plan.partitions[1].id = 1;
  plan.partitions[1].candidate = {"openvino", "cpu:0", "bf16", 1};
  return plan;
}

Json parsed(const TraceLog& log, const Plan& plan) {
  const auto text = write_perfetto(log, plan);
  EXPECT_TRUE(text.ok()) << text.status().to_string();
  const auto json = parse_json(*text);
  EXPECT_TRUE(json.ok()) << json.status().to_string();
  EXPECT_EQ(canonical_json(*json).value_or(""), *text) << "the document is canonical";
  return *json;
}

TEST(Perfetto, WritesSpansWithTheirCandidate) {
  TraceRecorder recorder(16);
  TraceEvent event;
  event.start_ns = 5'000'000'123;
  event.duration_ns = 2'500;
  event.name = recorder.intern("conv1");
  event.detail = recorder.intern(R"({"kernel":"brgconv"})");
  event.category = TraceCategory::kKernel;
  event.partition = 1;
  event.run = 3;
  event.thread = 42;
  recorder.record(event);
  event.start_ns += 4'000;
  event.name = recorder.intern("to device");
  event.detail = recorder.intern("not json");
  event.category = TraceCategory::kCopy;
  event.value = 4096;
  recorder.record(event);
  const Json json = parsed(recorder.log(), two_partitions());
  const Json& events = json["traceEvents"];
  ASSERT_EQ(events.size(), 4u);  // process, thread, two spans
  EXPECT_EQ(events[1]["args"]["name"], "thread 42");
  const Json expected = {
      {"args", {{"candidate", "openvino@cpu:0/bf16/t1/default"}, {"kernel", "brgconv"}, {"partition", 1}, {"run", 3}}},
      {"cat", "kernel"},
      {"dur", 2.5},
      {"name", "conv1"},
      {"ph", "X"},
      {"pid", 1},
      {"tid", 42},
      {"ts", 0}};
  EXPECT_EQ(events[2], expected);
  EXPECT_EQ(events[3]["ts"], 4);
  EXPECT_EQ(events[3]["args"]["bytes"], 4096);
  EXPECT_EQ(events[3]["args"]["detail"], "not json");
  EXPECT_EQ(json["otherData"]["start_monotonic_ns"], "5000000123");
  EXPECT_EQ(json["otherData"]["lost_events"], 0);
}

TEST(Perfetto, WritesCountersAndInstants) {
  TraceRecorder recorder(16);
  TraceEvent event;
  event.phase = TracePhase::kCounter;
  event.name = recorder.intern("queue");
  event.value = 7;
  recorder.record(event);
  event.phase = TracePhase::kInstant;
  recorder.record(event);
  const Json events = parsed(recorder.log(), Plan())["traceEvents"];
  EXPECT_EQ(events[2]["ph"], "C");
  EXPECT_EQ(events[2]["args"], Json({{"queue", 7}}));
  EXPECT_EQ(events[3]["ph"], "i");
  EXPECT_EQ(events[3]["s"], "t");
}

TEST(Perfetto, EmptyTraceIsADocument) {
  const Json json = parsed(TraceLog(), Plan());
  EXPECT_EQ(json["traceEvents"].size(), 1u);
}

TEST(Perfetto, SaysWhatWasLost) {
  TraceRecorder recorder(2);
  for (int i = 0; i < 5; ++i) recorder.record(TraceEvent{});
  EXPECT_EQ(parsed(recorder.log(), Plan())["otherData"]["lost_events"], 3);
}

TEST(Perfetto, SurvivesNamesThatAreNotUtf8) {
  TraceRecorder recorder(4);
  TraceEvent event;
  event.name = recorder.intern("bad\xff\"name");
  event.detail = recorder.intern("{\"a\":\xff}");
  recorder.record(event);
  EXPECT_EQ(parsed(recorder.log(), Plan())["traceEvents"][2]["name"], "bad\\xff\"name");
}

}  // namespace
}  // namespace axle
