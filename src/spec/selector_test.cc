#include <gtest/gtest.h>

#include "axle/device.h"
#include "base/testing/status_matchers.h"
#include "spec/resource.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;
constexpr auto kInvalid = StatusCode::kInvalidArgument;

Resource make(ResourceKind kind, int32_t index, std::string vendor, std::vector<std::string> tags = {}, int32_t part = -1) {
  Resource resource;
  resource.kind = kind;
  resource.index = index;
  resource.part = part;
  resource.id = resource_id(kind, index, part);
  resource.vendor = std::move(vendor);
  resource.tags = std::move(tags);
  return resource;
}

Machine laptop_with_two_nvidia_gpus() {
  Machine machine;
  machine.resources = {make(ResourceKind::kCpu, 0, "amd"), make(ResourceKind::kGpu, 0, "nvidia", {"discrete", "ada"}),
                       make(ResourceKind::kGpu, 1, "amd", {"integrated", "rdna3"}),
                       make(ResourceKind::kGpu, 2, "nvidia", {"discrete"}), make(ResourceKind::kNpu, 0, "amd", {"xdna"})};
  return machine;
}

std::vector<std::string> selected(std::string_view text, const Machine& machine) {
  const Result<Selector> selector = parse_selector(text);
  EXPECT_THAT(selector, IsOk());
  return selector ? select(*selector, machine) : std::vector<std::string>{};
}

using Ids = std::vector<std::string>;

TEST(Selector, ReadsEveryPart) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Selector selector, parse_selector("gpu:3/1@nvidia#discrete#ada"));
  EXPECT_EQ(selector.text, "gpu:3/1@nvidia#discrete#ada");
  EXPECT_EQ(selector.kind, ResourceKind::kGpu);
  EXPECT_EQ(selector.index, 3);
  EXPECT_EQ(selector.part, 1);
  EXPECT_EQ(selector.vendor, "nvidia");
  EXPECT_EQ(selector.tags, (std::vector<std::string>{"discrete", "ada"}));
  EXPECT_FALSE(selector.cuda_index);
}

TEST(Selector, KnowsEveryKind) {
  for (const std::string_view name : {"cpu", "gpu", "npu", "pim", "remote", "hybrid"}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const Selector selector, parse_selector(name));
    ASSERT_TRUE(selector.kind);
    EXPECT_EQ(resource_kind_name(*selector.kind), name);
  }
}

TEST(Selector, IgnoresCaseButKeepsTheText) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Selector selector, parse_selector("NPU@AMD#XDNA"));
  EXPECT_EQ(selector.text, "NPU@AMD#XDNA");
  EXPECT_EQ(selector.vendor, "amd");
  EXPECT_EQ(selected("NPU@AMD#XDNA", laptop_with_two_nvidia_gpus()), Ids{"npu:0"});
}

TEST(Selector, SelectsByEachField) {
  const Machine machine = laptop_with_two_nvidia_gpus();
  EXPECT_EQ(selected("gpu", machine), (Ids{"gpu:0", "gpu:1", "gpu:2"}));
  EXPECT_EQ(selected("gpu:2", machine), Ids{"gpu:2"});
  EXPECT_EQ(selected("gpu@nvidia", machine), (Ids{"gpu:0", "gpu:2"}));
  EXPECT_EQ(selected("gpu@nvidia#ada", machine), Ids{"gpu:0"});
  EXPECT_EQ(selected("gpu:1@nvidia", machine), Ids{});
  EXPECT_EQ(selected("pim", machine), Ids{});
}

TEST(Selector, IgpuIsTheIntegratedGpu) {
  EXPECT_EQ(selected("igpu", laptop_with_two_nvidia_gpus()), Ids{"gpu:1"});
  EXPECT_EQ(selected("igpu@intel", laptop_with_two_nvidia_gpus()), Ids{});
}

TEST(Selector, AutoMatchesEverything) { EXPECT_EQ(selected("auto", laptop_with_two_nvidia_gpus()).size(), 5u); }

TEST(Selector, CudaCountsOnlyVisibleNvidiaGpus) {
  Machine machine = laptop_with_two_nvidia_gpus();
  machine.resources[3].attributes["env.cuda_index"] = "0";  // CUDA_VISIBLE_DEVICES=1: the second NVIDIA GPU is cuda:0
  EXPECT_EQ(selected("cuda:0", machine), Ids{"gpu:2"});
  EXPECT_EQ(selected("cuda:1", machine), Ids{});
  EXPECT_EQ(selected("cuda", machine), (Ids{"gpu:0", "gpu:2"}));
}

TEST(Selector, WithoutAPartMatchesCoreSetsToo) {
  Machine machine;
  machine.resources = {make(ResourceKind::kCpu, 0, "amd"), make(ResourceKind::kCpu, 0, "amd", {}, 0),
                       make(ResourceKind::kCpu, 0, "amd", {}, 1)};
  EXPECT_EQ(selected("cpu", machine).size(), 3u);
  EXPECT_EQ(selected("cpu:0/1", machine), Ids{"cpu:0/1"});
}

TEST(Selector, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(parse_selector(""), StatusIs(kInvalid, "it is empty"));
  EXPECT_THAT(parse_selector("gpux:0"), StatusIs(kInvalid, "unknown kind 'gpux', did you mean 'gpu'? (column 1)"));
  EXPECT_THAT(parse_selector(":0"), StatusIs(kInvalid, "must begin with a kind (column 1)"));
  EXPECT_THAT(parse_selector("gpu:"), StatusIs(kInvalid, "the index after ':' must be a number (column 5)"));
  EXPECT_THAT(parse_selector("gpu:99999"), StatusIs(kInvalid, "larger than 65535 (column 5)"));
  EXPECT_THAT(parse_selector("gpu:99999999999999999999"), StatusIs(kInvalid, "larger than 65535"));
  EXPECT_THAT(parse_selector("cpu/1"), StatusIs(kInvalid, "a part needs an index, as in cpu:0/1 (column 4)"));
  EXPECT_THAT(parse_selector("cpu:0/"), StatusIs(kInvalid, "the part after '/' must be a number (column 7)"));
  EXPECT_THAT(parse_selector("gpu@"), StatusIs(kInvalid, "the vendor after '@' is missing (column 5)"));
  EXPECT_THAT(parse_selector("gpu@nvidia:0"), StatusIs(kInvalid, "':' stands in the wrong place (column 11)"));
  EXPECT_THAT(parse_selector("gpu#"), StatusIs(kInvalid, "the tag after '#' is missing (column 5)"));
  EXPECT_THAT(parse_selector("gpu 0"), StatusIs(kInvalid, "unexpected character 0x20 (column 4)"));
  EXPECT_THAT(parse_selector("auto:0"), StatusIs(kInvalid, "'auto' stands alone (column 5)"));
  EXPECT_THAT(parse_selector("cuda:0/1"), StatusIs(kInvalid, "'cuda' takes no part"));
  EXPECT_THAT(parse_selector("cuda:0@amd"), StatusIs(kInvalid, "'cuda' is always @nvidia"));
  EXPECT_THAT(parse_selector(std::string(300, 'a')), StatusIs(kInvalid, "the limit is 256"));
}

TEST(Selector, ShowsTheGrammarAsTheHint) {
  EXPECT_NE(parse_selector("tpu").status().hint().find("kind[:index][/part][@vendor][#tag...]"), std::string::npos);
}

TEST(Selector, NeverEchoesControlCharacters) {
  const Result<Selector> bad = parse_selector("gpu\x1b[31m");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.status().message().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace axle
