#include "probe/system_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FixtureTree;
using ::testing::IsEmpty;

TEST(SystemFiles, ReadsLinesAndNumbers) {
  FixtureTree tree;
  tree.file("/a/line", "  hello \x01world\t\nsecond\n")
      .file("/a/hex", "0x10de\n")
      .file("/a/minus", "-1\n")
      .file("/a/words", "12 kB\n")
      .file("/a/empty", "");
  const SystemFiles files = tree.files();
  EXPECT_EQ(files.line("/a/line"), "hello world");
  EXPECT_EQ(files.number("/a/hex"), 0x10de);
  EXPECT_EQ(files.number("/a/minus"), -1);
  EXPECT_EQ(files.number("/a/words"), std::nullopt);
  EXPECT_EQ(files.line("/a/empty"), std::nullopt);
  EXPECT_EQ(files.line("/a/absent"), std::nullopt);
  EXPECT_EQ(files.line("/a"), std::nullopt);
}

TEST(SystemFiles, BoundsWhatItReads) {
  FixtureTree tree;
  tree.file("/big", std::string(1u << 20, 'x'));
  EXPECT_EQ(tree.files().content("/big")->size(), 64u << 10);
  EXPECT_EQ(tree.files().line("/big")->size(), 256u);
}

TEST(SystemFiles, ListsByNumber) {
  FixtureTree tree;
  tree.file("/n/node10", "x").file("/n/node2", "x").file("/n/online", "x").file("/n/node1", "x");
  EXPECT_THAT(tree.files().list("/n"), ElementsAre("node1", "node2", "node10", "online"));
  EXPECT_THAT(tree.files().list("/absent"), IsEmpty());
}

TEST(SystemFiles, LinkNameIsTheLastPart) {
  FixtureTree tree;
  tree.link("/d/driver", "../../bus/pci/drivers/amdgpu").file("/d/plain", "x");
  EXPECT_EQ(tree.files().link_name("/d/driver"), "amdgpu");
  EXPECT_EQ(tree.files().link_name("/d/plain"), "");
}

TEST(ParseNumber, TakesWholeTextsOnly) {
  EXPECT_EQ(parse_number("42"), 42);
  EXPECT_EQ(parse_number(" 0x1F\n"), 31);
  for (const char* bad : {"", "0x", "1 2", "1.5", "0x-1", "--1", "99999999999999999999", "+"})
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
}

TEST(ParseCpuList, SkipsWhatItCannotRead) {
  EXPECT_THAT(parse_cpu_list("0-3,8,10-11"), ElementsAre(0, 1, 2, 3, 8, 10, 11));
  EXPECT_THAT(parse_cpu_list("3,1,1-2"), ElementsAre(1, 2, 3));
  EXPECT_THAT(parse_cpu_list("x,5-,-3,7-6,2"), ElementsAre(2));
  EXPECT_THAT(parse_cpu_list(""), IsEmpty());
  EXPECT_EQ(parse_cpu_list("0-9223372036854775807").size(), 8192u);
}

TEST(CleanText, KeepsOnlyPrintableUtf8) {
  EXPECT_EQ(clean_text("  a\x1b[0mb\x7f \n"), "a[0mb");
  EXPECT_EQ(clean_text("5 \xc2\xb5s"), "5 \xc2\xb5s");
  EXPECT_EQ(clean_text("bad\xff"), "bad");
}

TEST(ValueOf, FindsTheFirstMatchingKey) {
  EXPECT_EQ(value_of("Model: \t X\nGPU UUID: \t GPU-1\n", "GPU UUID"), "GPU-1");
  EXPECT_EQ(value_of("A=b=c\n", "A", '='), "b=c");
  EXPECT_EQ(value_of("Models: X\n", "Model"), "");
}

}  // namespace
}  // namespace axle
