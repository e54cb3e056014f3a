#include "hexagon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "probe/device_table.h"
#include "qnn_settings.h"

namespace axle::qnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The host says of another machine what the plugin says of this one.
TEST(Hexagon, GenerationsAreThoseOfTheHost) {
  for (const char* soc :
       {"SM8350", "SC8280XP", "SC7280", "QCM6490", "QCS6490", "SA8295P", "SM8450", "SM8475", "SM8550", "QCM8550", "QCS8550",
        "X1E80100", "X1P42100", "SA8255P", "SA8775P", "QCS9100", "SM8650", "SM8750", "SM8850"}) {
    EXPECT_EQ("v" + generation_of_soc(soc), hexagon_generation(soc)) << soc;
    EXPECT_THAT(generations(), ::testing::Contains(generation_of_soc(soc))) << soc;
  }
  for (const char* soc : {"", "SM9999", "sm8550"}) {
    EXPECT_EQ(generation_of_soc(soc), kUnknownGeneration) << soc;
    EXPECT_EQ(hexagon_generation(soc), "") << soc;
  }
}

TEST(Hexagon, OfThisMachineIsReadFromItsSoc) {
  const std::string file = ::testing::TempDir() + "axle_hexagon_soc";
  std::ofstream(file) << "X1E80100\n";
  EXPECT_EQ(generation_here(file), "73");
  std::remove(file.c_str());
  EXPECT_EQ(generation_here(file), kUnknownGeneration);
}

kit::Option first_option(const std::string& generation) { return option_table(generation).front(); }

TEST(Hexagon, TheOptionFollowsTheProcessor) {
  EXPECT_EQ(first_option("").choices, generations());
  EXPECT_EQ(first_option("").default_value, "75");
  EXPECT_THAT(first_option("73").choices, ElementsAre("73"));
  EXPECT_EQ(first_option("73").default_value, "73");
  EXPECT_THAT(first_option("73").description, HasSubstr("Hexagon v73"));
  EXPECT_EQ(first_option(kUnknownGeneration).default_value, kUnknownGeneration);
  EXPECT_EQ(first_option(kUnknownGeneration).choices.size(), generations().size() + 1);
}

std::string refusal_of(const std::string& asked, const std::string& generation) {
  Settings settings;
  settings.htp_arch = asked;
  try {
    check_generation(settings, generation);
    require_generation(settings);
  } catch (const kit::Error& error) {
    return error.message();
  }
  return "";
}

TEST(Hexagon, OtherCodeThanItRunsIsRefused) {
  EXPECT_EQ(refusal_of("73", "73"), "");
  EXPECT_EQ(refusal_of("79", ""), "");
  EXPECT_EQ(refusal_of("79", kUnknownGeneration), "");
  EXPECT_THAT(refusal_of("75", "73"), HasSubstr("option 'htp_arch' is '75', and the NPU is a Hexagon v73"));
  EXPECT_THAT(refusal_of(kUnknownGeneration, "73"), HasSubstr("'htp_arch' is 'unknown'"));
  EXPECT_THAT(refusal_of(kUnknownGeneration, kUnknownGeneration), HasSubstr("does not say of which generation"));
}

}  // namespace
}  // namespace axle::qnn
