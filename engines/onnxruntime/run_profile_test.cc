#include "run_profile.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace axle::ort {
namespace {

struct Event {
  std::string name, category, arguments;
  int64_t start_ns, duration_ns;
};

std::vector<Event>& recorded() {
  static std::vector<Event> events;
  return events;
}

void record(void*, const axle_trace_event_t* event) {
  recorded().push_back({std::string(kit::text(event->name)), std::string(kit::text(event->category)),
                        std::string(kit::text(event->arguments)), event->start_ns, event->duration_ns});
}

bool deliver(const std::string& json) {
  static axle_host_api_t host{};
  host.struct_size = sizeof(host);
  host.trace = &record;
  recorded().clear();
  static int token = 0;
  return deliver_profile(json, 1000, kit::Profile(kit::Host(&host), &token));
}

TEST(RunProfile, KeepsKernelTimesAndShiftsThem) {
  EXPECT_TRUE(deliver(R"([{"cat":"Session","name":"model_run","ts":1,"dur":9},
    {"cat":"Node","name":"conv0_fence_before","ts":1,"dur":1,"args":{"op_name":"Conv"}},
    {"cat":"Node","name":"conv0_kernel_time","ts":5,"dur":7,"args":{"op_name":"Conv","provider":"CPUExecutionProvider"}}])"));
  ASSERT_EQ(recorded().size(), 1u);
  EXPECT_EQ(recorded()[0].name, "conv0");
  EXPECT_EQ(recorded()[0].category, "kernel");
  EXPECT_EQ(recorded()[0].start_ns, 6000);
  EXPECT_EQ(recorded()[0].duration_ns, 7000);
  EXPECT_EQ(recorded()[0].arguments, R"({"op":"Conv","provider":"CPUExecutionProvider"})");
}

TEST(RunProfile, DropsWhatIsNoProfile) {
  for (const char* json :
       {"", "{", "{}", "[]", "[1, null, \"x\"]", R"([{"cat":"Node","name":7}])", R"([{"cat":"Node","name":"a_kernel_time"])"}) {
    EXPECT_FALSE(deliver(json)) << json;
    EXPECT_TRUE(recorded().empty()) << json;
  }
}

}  // namespace
}  // namespace axle::ort
