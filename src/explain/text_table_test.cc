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

TEST(TextTable, WrapsTheStretchColumnAtSpaces) {
  TextTable table({{"k"}, {"why", false, true}});
  table.add_row({{"x"}, {"one two three four five six seven eight nine ten eleven"}});
  const std::string text = table.render(40, false);
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    EXPECT_LE(display_width(text.substr(start, end - start)), 40u) << text;
    start = end + 1;
  }
  EXPECT_NE(text.find("eleven"), std::string::npos);
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

}  // namespace
}  // namespace axle
