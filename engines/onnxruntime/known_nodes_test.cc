// What is known of single nodes, in a file that anything may have happened to.
#include "known_nodes.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace axle::ort {
namespace {

namespace fs = std::filesystem;

class KnownNodesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/known-nodes-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file() const { return folder_ + "/known-nodes"; }
  std::string content() const {
    std::ifstream in(file(), std::ios::binary);
    return (std::ostringstream() << in.rdbuf()).str();
  }
  void put(const std::string& text) const { std::ofstream(file(), std::ios::binary) << text; }

  static kit::Verdict yes() { return {kit::VerdictKind::kYes, "", "", -1}; }
  static kit::Verdict no(std::string text, std::string code = "UNSUPPORTED_OP") {
    return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1};
  }

  std::string folder_;
};

TEST_F(KnownNodesTest, ComeBackInAnotherProcess) {
  KnownNodes first;
  first.read(folder_, "\n");
  first.add("\ncpu/:Relu:17", yes(), {"a"});
  first.add("\ncpu/:Gizmo:1 \xff", no("no Gizmo: 100 %"), {"b"});
  first.write(folder_, "\n");
  KnownNodes second;
  second.read(folder_, "\n");
  EXPECT_EQ(second.find("\ncpu/:Relu:17", {"z"})->kind, kit::VerdictKind::kYes);
  const auto refused = second.find("\ncpu/:Gizmo:1 \xff", {"z"});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, kit::VerdictKind::kNo);
  EXPECT_EQ(refused->code, "UNSUPPORTED_OP");
  EXPECT_EQ(refused->text, "no Gizmo: 100 %");
  EXPECT_FALSE(second.find("\ncpu/:Neg:17", {}));
}

// Guards: model B was told of the node of model A.
TEST_F(KnownNodesTest, SpeakOfTheNodeThatIsAsked) {
  KnownNodes known;
  known.add("\nk", no("No implementation for Max(13) node with name 'm1', input (x1) of 'm1'"), {"m1", "x1"});
  EXPECT_EQ(known.find("\nk", {"m2", "other"})->text,
            "No implementation for Max(13) node with name 'm2', input (other) of 'm2'");
}

TEST_F(KnownNodesTest, DoNotHoldWhatIsTrueOfOneModelOnly) {
  KnownNodes known;
  known.add("\nk", no("shapes do not fit", "SHAPE"), {});
  known.add("\nl", no("what?", "OTHER"), {});
  known.add("\nn", no("group is 3", "ATTRIBUTE"), {});
  known.add("\nm", {kit::VerdictKind::kUnknown, "OTHER", "?", -1}, {});
  for (const char* key : {"\nk", "\nl", "\nm", "\nn"}) EXPECT_FALSE(known.find(key, {}));
}

TEST_F(KnownNodesTest, OtherOperatorsAreNotMixedIn) {
  KnownNodes known;
  known.add("\nk", yes(), {});
  known.add("/opt/ops.so\nk", yes(), {});
  known.write(folder_, "/opt/ops.so\n");
  KnownNodes other;
  other.read(folder_, "\n");
  EXPECT_FALSE(other.find("\nk", {}));
  EXPECT_FALSE(other.find("/opt/ops.so\nk", {}));
  other.read(folder_, "/opt/ops.so\n");
  EXPECT_TRUE(other.find("/opt/ops.so\nk", {}));
}

TEST_F(KnownNodesTest, AreWrittenOnlyWhenThereIsMore) {
  KnownNodes known;
  known.read(folder_, "\n");
  known.write(folder_, "\n");
  EXPECT_FALSE(fs::exists(file()));
  known.add("\nk", yes(), {});
  known.write(folder_, "\n");
  const std::string written = content();
  fs::remove(file());
  put(written);
  KnownNodes again;
  again.read(folder_, "\n");
  fs::remove(file());
  again.write(folder_, "\n");
  EXPECT_FALSE(fs::exists(file()));
  // What another process wrote lacks what this one knows.
  put("axle-onnxruntime-known-nodes 1\n%0aother yes\n");
  again.read(folder_, "\n");
  again.write(folder_, "\n");
  EXPECT_THAT(content(), ::testing::AllOf(::testing::HasSubstr("%0ak yes"), ::testing::HasSubstr("%0aother yes")));
}

TEST_F(KnownNodesTest, ADamagedFileIsNotBelieved) {
  KnownNodes whole;
  whole.add("\nk", no("text"), {});
  whole.add("\nl", yes(), {});
  whole.write(folder_, "\n");
  const std::string good = content();
  for (size_t size = 0; size < good.size(); ++size) {
    put(good.substr(0, size));
    KnownNodes read;
    read.read(folder_, "\n");
    const auto k = read.find("\nk", {});
    EXPECT_TRUE(!k || k->kind == kit::VerdictKind::kNo) << size;
  }
  for (const char* bad : {"", "\n", "axle-onnxruntime-known-nodes 2\n%0ak yes\n",
                          "axle-onnxruntime-known-nodes 1\n%0ak maybe\n", "axle-onnxruntime-known-nodes 1\n%0ak no\n",
                          "axle-onnxruntime-known-nodes 1\n%0ak yes and more\n", "axle-onnxruntime-known-nodes 1\n%zz yes\n",
                          "axle-onnxruntime-known-nodes 1\n%0 yes\n", "axle-onnxruntime-known-nodes 1\n%0ak no SHAPE x\n"}) {
    put(bad);
    KnownNodes read;
    read.read(folder_, "\n");
    EXPECT_FALSE(read.find("\nk", {})) << bad;
    EXPECT_FALSE(read.find("%zz", {})) << bad;
  }
  KnownNodes none;
  none.read(folder_ + "/absent", "\n");
  none.read("", "\n");
  none.add("\nk", yes(), {});
  none.write(folder_ + "/absent", "\n");
  none.write("", "\n");
  EXPECT_TRUE(none.find("\nk", {}));
}

TEST_F(KnownNodesTest, KeepTheNewestOfTooMany) {
  KnownNodes known;
  const std::string text(1500, 't');
  for (int i = 0; i < 1000; ++i) known.add("\nk" + std::to_string(i), no(text), {});
  known.write(folder_, "\n");
  EXPECT_LE(fs::file_size(file()), size_t{1} << 20);
  KnownNodes read;
  read.read(folder_, "\n");
  EXPECT_TRUE(read.find("\nk999", {}));
  EXPECT_FALSE(read.find("\nk0", {}));
}

}  // namespace
}  // namespace axle::ort
