#include "explain/text_table.h"

#include <gmock/gmock.h>

namespace axle {
namespace {

using ::testing::ElementsAre;

TEST(TextTable, AlignsColumnsAndDropsTrailingBlanks) {
  TextTable table({{"name"}, {"us", true}, {"why", false, true}});
  table.add_row({{"a"}, {"10"}, {"first"}});
  table.add_row({{"longer"}, {"7"}, {""}});
  EXPECT_EQ(table.render(80, false), "name    us  why\na       10  first\nlonger   7\n");
}

std::string rows_of_two(int32_t width) {
  TextTable table({{"k"}, {"why", false, true}});
  table.add_row({{"x"}, {"one two three four five six seven eight nine ten eleven twelve thirteen"}});
  table.add_row({{"y"}, {""}});
  return table.render(width, false);
}

TEST(TextTable, WrapsTheStretchColumnAtSpaces) {
  EXPECT_EQ(rows_of_two(60),
            "k  why\n"
            "x  one two three four five six seven eight nine ten eleven\n"
            "   twelve thirteen\n"
            "y\n");
}

TEST(TextTable, HangsTheStretchColumnBelowItsRowWhereRoomIsScarce) {
  EXPECT_EQ(rows_of_two(41),
            "k\n"
            "x\n"
            "    one two three four five six seven\n"
            "    eight nine ten eleven twelve thirteen\n"
            "y\n");
}

TEST(TextTable, HangsRatherThanBreakingAWord) {
  TextTable table({{"engine"}, {"library", false, true}});
  table.add_row({{"onnxruntime"}, {"/a/path/of/more/than/forty/columns/libonnxruntime.so"}});
  EXPECT_EQ(table.render(50, false), "engine\nonnxruntime\n    /a/path/of/more/than/forty/columns/libonnxruntime.so\n");
}

TEST(TextTable, ShrinksWhatMayShrinkUntilLinesFit) {
  TextTable table({{"candidate", false, false, true}, {"p50", true}, {"why", false, true}});
  table.add_row({{"an_engine_of_a_long_name@cpu:0/f32/t2/default"}, {"1.5 ms"}, {"because"}});
  EXPECT_EQ(table.render(40, false),
            "candidate                   p50  why\n"
            "an_engine_of_a_long_nam  1.5 ms  because\n"
            "e@cpu:0/f32/t2/default\n");
}

TEST(TextTable, LeavesOutColumnsWithoutContent) {
  TextTable table({{"name"}, {"tags"}, {"engines"}});
  table.add_row({{"cpu:0"}, {""}, {"null"}});
  EXPECT_EQ(table.render(80, false), "name   engines\ncpu:0  null\n");
}

TEST(TextTable, ControlCharactersDoNotReachTheTerminal) {
  TextTable table({{"name"}});
  table.add_row({{"a\x1b[31mb\nc\x7f"}});
  EXPECT_EQ(table.render(80, false), "name\na?[31mb c?\n");
}

TEST(TextTable, ColoursOnlyWhenAsked) {
  TextTable table({{"k"}});
  table.add_row({{"bad", Tone::kBad}});
  EXPECT_EQ(table.render(40, false).find('\x1b'), std::string::npos);
  EXPECT_NE(table.render(40, true).find("\x1b[31mbad"), std::string::npos);
}

TEST(WrapText, CountsCodePointsAndBreaksLongWords) {
  EXPECT_THAT(wrap_text("ééé ééé", 3), ElementsAre("ééé", "ééé"));
  EXPECT_THAT(wrap_text("abcdefgh", 3), ElementsAre("abc", "def", "gh"));
  EXPECT_THAT(wrap_text("", 5), ElementsAre(""));
}

TEST(HangingLines, WrapBehindALabel) {
  EXPECT_THAT(hanging_lines("note: ", "one two three four five six seven eight", "      ", 40),
              ElementsAre("note: one two three four five six seven", "      eight"));
  EXPECT_THAT(hanging_lines("note: ", "", "      ", 40), ElementsAre("note: "));
  EXPECT_EQ(note_text("short", 80, "  "), "  note: short\n");
}

}  // namespace
}  // namespace axle
