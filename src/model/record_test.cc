#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "axle/model.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "model/testing/model_builder.h"

namespace axle {
namespace {

using testing::as_bytes;
using testing::IsOk;
using testing::kF32;
using testing::ModelBuilder;
using testing::StatusIs;

class RecordTest : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create());
    scratch_.emplace(std::move(scratch));
    path_ = scratch_->file("model.onnx");
    write("first");
  }

  void write(const std::string& doc) {
    ModelBuilder builder;
    builder.input("x", kF32, {-1, 2}, {"batch"}).output("y", kF32, {-1, 2}, {"batch"});
    builder.node("Relu", {"x"}, {"y"});
    builder.model.set_doc_string(doc);
    ASSERT_THAT(write_file_atomic(path_, builder.serialise(), kPrivateFileMode), IsOk());
  }

  // ctime cannot be set, so an old file is one that the test waits for.
  static void let_stamps_age() { ::usleep(2'200'000); }

  std::optional<ScratchDir> scratch_;
  std::string path_;
};

TEST_F(RecordTest, OpensWithoutReading) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path_));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string record, model_record(model));
  EXPECT_THAT(open_recorded_model(path_, record), StatusIs(StatusCode::kAborted, "cannot be trusted"));  // too young
  let_stamps_age();
  AXLE_ASSERT_OK_AND_ASSIGN(const Model opened, open_recorded_model(path_, record));
  EXPECT_EQ(opened.digest(), model.digest());
  EXPECT_EQ(opened.inputs(), model.inputs());
  EXPECT_EQ(opened.outputs(), model.outputs());
  EXPECT_EQ(opened.opsets(), model.opsets());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(opened));  // read on demand
  EXPECT_EQ(graph->nodes.size(), 1u);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string again, model_record(opened));
  EXPECT_EQ(again, record);

  write("other");
  EXPECT_THAT(open_recorded_model(path_, record), StatusIs(StatusCode::kAborted, "no longer speaks"));
}

TEST_F(RecordTest, LateReadOfAnotherModelIsRefused) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path_));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string record, model_record(model));
  let_stamps_age();
  AXLE_ASSERT_OK_AND_ASSIGN(const Model opened, open_recorded_model(path_, record));
  write("other");
  EXPECT_THAT(graph_of(opened), StatusIs(StatusCode::kAborted, "not the model that was recorded"));
}

TEST_F(RecordTest, MalformedRecordsAreRefused) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(path_));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string record, model_record(model));
  EXPECT_THAT(open_recorded_model(scratch_->file("elsewhere.onnx"), record), StatusIs(StatusCode::kAborted, "not of"));
  EXPECT_THAT(open_recorded_model(path_, ""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(open_recorded_model(path_, "{}"), StatusIs(StatusCode::kInvalidArgument));
  for (size_t size = 0; size < record.size(); size += 7) EXPECT_FALSE(open_recorded_model(path_, record.substr(0, size)).ok());
}

TEST(Record, BytesHaveNone) {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  builder.node("Relu", {"x"}, {"y"});
  const std::string bytes = builder.serialise();
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::from_bytes(as_bytes(bytes)));
  EXPECT_THAT(model_record(model), StatusIs(StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace axle
