#include "trace/recorder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

namespace axle {
namespace {

TraceEvent event_at(int64_t start_ns) {
  TraceEvent event;
  event.start_ns = start_ns;
  event.duration_ns = start_ns + 1;
  event.value = start_ns + 2;
  event.run = static_cast<uint32_t>(start_ns);
  event.thread = 7;
  return event;
}

TEST(TraceRecorder, HandsOutEventsByStartTime) {
  TraceRecorder recorder(8);
  recorder.record(event_at(30));
  recorder.record(event_at(10));
  recorder.record(event_at(20));
  const TraceLog log = recorder.log();
  ASSERT_EQ(log.events.size(), 3u);
  EXPECT_EQ(log.events[0], event_at(10));
  EXPECT_EQ(log.events[2], event_at(30));
  EXPECT_EQ(log.lost, 0u);
}

TEST(TraceRecorder, KeepsTheNewestAndCountsTheLost) {
  TraceRecorder recorder(8);
  for (int i = 0; i < 20; ++i) recorder.record(event_at(i));
  const TraceLog log = recorder.log();
  ASSERT_EQ(log.events.size(), 8u);
  EXPECT_EQ(log.events.front().start_ns, 12);
  EXPECT_EQ(log.lost, 12u);
}

TEST(TraceRecorder, RoundsItsCapacityUp) {
  EXPECT_EQ(TraceRecorder(0).capacity(), 2u);
  EXPECT_EQ(TraceRecorder(9).capacity(), 16u);
}

TEST(TraceRecorder, FillsInTheRecordingThread) {
  TraceRecorder recorder(4);
  recorder.record(TraceEvent{});
  EXPECT_EQ(recorder.log().events.at(0).thread, trace_thread_id());
  EXPECT_NE(trace_thread_id(), 0u);
}

TEST(TraceRecorder, InternsEachTextOnce) {
  TraceRecorder recorder(4);
  const TraceText conv = recorder.intern("conv1");
  EXPECT_EQ(recorder.intern("conv1"), conv);
  EXPECT_NE(recorder.intern("conv2"), conv);
  EXPECT_EQ(recorder.intern(""), 0u);
  const TraceLog log = recorder.log();
  EXPECT_EQ(log.text(conv), "conv1");
  EXPECT_EQ(log.text(0), "");
  EXPECT_EQ(log.text(99), "");
}

TEST(TraceRecorder, ClearForgetsEventsAndKeepsTexts) {
  TraceRecorder recorder(4);
  const TraceText name = recorder.intern("x");
  recorder.record(event_at(1));
  recorder.clear();
  EXPECT_TRUE(recorder.log().events.empty());
  EXPECT_EQ(recorder.log().lost, 0u);
  EXPECT_EQ(recorder.log().text(name), "x");
  recorder.record(event_at(2));
  EXPECT_EQ(recorder.log().events.size(), 1u);
}

TEST(TraceRecorder, NeverHandsOutATornEvent) {
  TraceRecorder recorder(16);  // small, so that writers lap each other and the reader
  constexpr int kWriters = 3;
  constexpr int64_t kEach = 20'000;
  std::atomic<bool> done{false};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int64_t i = 0; i < kEach; ++i) recorder.record(event_at(w * kEach + i));
    });
  }
  int64_t seen = 0;
  std::thread reader([&] {
    while (!done) {
      for (const TraceEvent& event : recorder.log().events) {
        ASSERT_EQ(event, event_at(event.start_ns));
        ++seen;
      }
    }
  });
  for (auto& writer : writers) writer.join();
  done = true;
  reader.join();
  const TraceLog log = recorder.log();
  EXPECT_EQ(log.lost + log.events.size(), static_cast<uint64_t>(kWriters * kEach));
  std::set<int64_t> starts;
  for (const TraceEvent& event : log.events) EXPECT_TRUE(starts.insert(event.start_ns).second);
}

TEST(TraceSpan, RecordsOneSpanByScope) {
  TraceRecorder recorder(4);
  const TraceText name = recorder.intern("load");
  const int64_t before = trace_now_ns();
  {
    TraceSpan span(&recorder, TraceCategory::kLoad, name, 2, 5);
    span.set_value(77);
  }
  const TraceEvent event = recorder.log().events.at(0);
  EXPECT_EQ(event.name, name);
  EXPECT_EQ(event.category, TraceCategory::kLoad);
  EXPECT_EQ(event.partition, 2);
  EXPECT_EQ(event.run, 5u);
  EXPECT_EQ(event.value, 77);
  EXPECT_GE(event.start_ns, before);
  EXPECT_LE(event.start_ns + event.duration_ns, trace_now_ns());
}

TEST(TraceSpan, NullSinkIsOff) { TraceSpan span(nullptr, TraceCategory::kRun, 0); }

TEST(TraceCategory, NamesReadBack) {
  for (int i = 0; i < kTraceCategoryCount; ++i) {
    const auto category = static_cast<TraceCategory>(i);
    EXPECT_EQ(parse_trace_category(trace_category_name(category)), category);
  }
  EXPECT_EQ(parse_trace_category("no such"), TraceCategory::kOther);
  EXPECT_EQ(trace_category_name(static_cast<TraceCategory>(200)), "other");
}

TEST(TraceThreadId, IsTheChildsOwnAfterFork) {
  const uint32_t parent = trace_thread_id();
  const pid_t child = fork();
  if (child == 0) _exit(trace_thread_id() != parent && trace_thread_id() == static_cast<uint32_t>(getpid()) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace axle
