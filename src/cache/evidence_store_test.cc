#include "axle/evidence_store.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <limits>
#include <thread>

#include "cache/testing/cache_fixture.h"

namespace axle {
namespace {

using testing::CacheTest;
using testing::content_of;
using testing::DiskFaults;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::overwrite;
using ::testing::SizeIs;
using testing::StatusIs;

EvidenceRow row_of(const std::string& model, const std::string& candidate, int64_t p50_ns = 1000) {
  EvidenceRow row;
  row.key.model_digest = model;
  row.key.candidate = candidate;
  row.key.shapes = "x:f32[1,3]";
  row.key.samples_digest = "generated:0";
  row.key.library_digest = "sha256:l";
  row.key.machine = "sha256:here";
  row.recorded_unix_s = 1700000000;
  row.block_ns = {p50_ns, p50_ns + 1};
  row.runs = 100;
  row.p50_ns = p50_ns;
  row.error = ErrorFigures{1e-7, 1e-8, 1, 1, 0, "ref", "y"};
  row.paired = {{"other", 1.5, 1.25, 1.75, 12}};
  row.state_json = "{}";
  row.made_with = {{"fake", "1.0"}, {"os", "linux 6.1.0"}};
  row.hardware = "sha256:hardware";
  return row;
}

class EvidenceStoreTest : public CacheTest {
 protected:
  EvidenceStore store(bool read_only = false) {
    auto opened = EvidenceStore::open(folder_, read_only);
    EXPECT_TRUE(opened.ok()) << opened.status().to_string();
    return *std::move(opened);
  }
  Status append(const EvidenceRow& row) { return store().append({&row, 1}); }
};

TEST_F(EvidenceStoreTest, FindsRowsOfAModelInTheOrderRecorded) {
  EXPECT_THAT(*store().find(), IsEmpty());
  ASSERT_THAT(append(row_of("m1", "a", 1)), IsOk());
  ASSERT_THAT(append(row_of("m2", "a", 2)), IsOk());
  ASSERT_THAT(append(row_of("m1", "b", 3)), IsOk());
  EXPECT_THAT(*store().find({.model_digest = "m1"}), ElementsAre(row_of("m1", "a", 1), row_of("m1", "b", 3)));
  EXPECT_THAT(*store().find({.candidate = "a"}), ElementsAre(row_of("m1", "a", 1), row_of("m2", "a", 2)));
  EXPECT_THAT(*store().find({.model_digest = "m1", .machine = "elsewhere"}), IsEmpty());
  EXPECT_THAT(*store().find(), SizeIs(3));
  EXPECT_EQ(store().stats()->rows, 3u);
}

TEST_F(EvidenceStoreTest, RowsThatCannotBeWrittenLeaveNothing) {
  EvidenceRow bad = row_of("m", "a");
  bad.error->max_relative = std::numeric_limits<double>::quiet_NaN();
  const std::vector<EvidenceRow> rows = {row_of("m", "a"), bad};
  EXPECT_THAT(store().append(rows), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(*store().find(), IsEmpty());
}

TEST_F(EvidenceStoreTest, RemovesByFilter) {
  for (const char* model : {"m1", "m2"}) {
    for (const char* candidate : {"a", "b"}) ASSERT_THAT(append(row_of(model, candidate)), IsOk());
  }
  EXPECT_THAT(store().rm({}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(*store().rm({.model_digest = "m1", .candidate = "a"}), 1u);
  EXPECT_EQ(*store().rm({.model_digest = "none"}), 0u);
  EXPECT_THAT(*store().find(), SizeIs(3));
  EXPECT_EQ(*store().rm({}, true), 3u);
  EXPECT_THAT(*store().find(), IsEmpty());
}

TEST_F(EvidenceStoreTest, ExportsAndImports) {
  ASSERT_THAT(append(row_of("m1", "a")), IsOk());
  ASSERT_THAT(append(row_of("m2", "a")), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, store().export_json({.model_digest = "m1"}));
  EXPECT_EQ(*store().import_json(json), 0u);
  EXPECT_EQ(*store().rm({}, true), 2u);
  EXPECT_EQ(*store().import_json(json), 1u);
  EXPECT_THAT(*store().find(), ElementsAre(row_of("m1", "a")));
  EXPECT_THAT(store().import_json(R"({"format":"other","rows":[],"version":1})"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(store().import_json(R"({"format":"axle-evidence","rows":[{}],"version":1})"),
              StatusIs(StatusCode::kInvalidArgument, "rows[0]"));
  EXPECT_THAT(*store().find(), SizeIs(1));
}

TEST_F(EvidenceStoreTest, RemovesWhatIsSaidOfEachRow) {
  for (const int64_t p50 : {1, 2, 3}) ASSERT_THAT(append(row_of("m1", "a", p50)), IsOk());
  ASSERT_THAT(append(row_of("m2", "a", 1)), IsOk());
  const auto is_first = [](const EvidenceRow& row) { return row.p50_ns == 1; };
  EXPECT_EQ(*store().rm_if({.model_digest = "m1"}, is_first), 1u);
  EXPECT_THAT(*store().find(), ElementsAre(row_of("m1", "a", 2), row_of("m1", "a", 3), row_of("m2", "a", 1)));
}

TEST_F(EvidenceStoreTest, NeverMixesSimulatedWithReal) {
  EvidenceRow simulated = row_of("m1", "a", 5);
  simulated.simulated = true;
  ASSERT_THAT(append(simulated), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, store().export_json());
  EXPECT_EQ(*store().rm({}, true), 1u);
  ASSERT_THAT(append(row_of("m2", "a", 1)), IsOk());
  EXPECT_THAT(store().import_json(json), StatusIs(StatusCode::kInvalidArgument, "a is simulated here and real in another row"));
  EXPECT_THAT(*store().find(), ElementsAre(row_of("m2", "a", 1)));
  // On another machine the same candidate may well be a simulated one.
  EXPECT_EQ(*store().rm({}, true), 1u);
  EvidenceRow elsewhere = row_of("m2", "a", 1);
  elsewhere.key.machine = "sha256:there";
  ASSERT_THAT(append(elsewhere), IsOk());
  EXPECT_EQ(*store().import_json(json), 1u);
}

TEST_F(EvidenceStoreTest, RefusesAHostileImportWhole) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string one, [&] {
    EXPECT_THAT(append(row_of("m1", "a")), IsOk());
    return store().export_json();
  }());
  EXPECT_EQ(*store().rm({}, true), 1u);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = one;
    const size_t at = text.rfind(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& hostile :
       {with("\"version\":1", "\"version\":2"), with("axle-evidence", "axle-evidence-2"), with("\"runs\":100", "\"runs\":-1"),
        with("\"runs\":100", "\"runs\":100,\"runs\":100"), with("\"runs\":100", "\"surprise\":100,\"runs\":100"),
        with("\"p50_ns\":1000", "\"p50_ns\":1e400"), std::string(100'000, '['), one.substr(0, one.size() / 2), std::string()}) {
    EXPECT_THAT(store().import_json(hostile), StatusIs(StatusCode::kInvalidArgument)) << hostile.substr(0, 80);
  }
  EXPECT_THAT(*store().find(), IsEmpty());
  EXPECT_EQ(*store().import_json(one), 1u);
}

TEST_F(EvidenceStoreTest, CompactingKeepsTheNewestOfEachKey) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(append(row_of("m1", "a", i)), IsOk());
    ASSERT_THAT(append(row_of("m1", "b", i)), IsOk());
  }
  ASSERT_THAT(store().compact(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto rows, store().find({.candidate = "a"}));
  ASSERT_THAT(rows, SizeIs(8));
  EXPECT_EQ(rows.front().p50_ns, 12);
  EXPECT_EQ(rows.back().p50_ns, 19);
  EXPECT_EQ(store().stats()->rows, 16u);
}

TEST_F(EvidenceStoreTest, AFlippedBitNeverChangesARow) {
  ASSERT_THAT(append(row_of("m1", "a", 1)), IsOk());
  ASSERT_THAT(append(row_of("m1", "b", 2)), IsOk());
  const EvidenceStore store = this->store();
  const std::string good = content_of(store.path());
  for (size_t byte = 0; byte < good.size(); ++byte) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ (1 << (byte % 8)));
    overwrite(store.path(), bad);
    AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<EvidenceRow> rows, store.find());
    for (const EvidenceRow& row : rows) {
      EXPECT_TRUE(row == row_of("m1", "a", 1) || row == row_of("m1", "b", 2)) << byte;
    }
    EXPECT_LE(rows.size(), 1u) << byte;
  }
}

TEST_F(EvidenceStoreTest, ReadOnlyIsOnlyRead) {
  ASSERT_THAT(append(row_of("m1", "a")), IsOk());
  EvidenceStore reader = store(true);
  EXPECT_THAT(*reader.find(), SizeIs(1));
  const EvidenceRow row = row_of("m", "a");
  EXPECT_THAT(reader.append({&row, 1}), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(reader.rm({}, true), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(reader.import_json("{}"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(reader.compact(), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(EvidenceStoreTest, FullDiskIsAnErrorThatNamesTheFile) {
  ASSERT_THAT(append(row_of("m1", "a")), IsOk());
  EvidenceStore store = this->store();
  const EvidenceRow row = row_of("m1", "b");
  DiskFaults::arm(1, ENOSPC);
  const Status done = store.append({&row, 1});
  DiskFaults::disarm();
  EXPECT_THAT(done, StatusIs(StatusCode::kResourceExhausted, "evidence-1.log"));
  EXPECT_THAT(*store.find(), SizeIs(1));
}

TEST_F(EvidenceStoreTest, ProcessesAppendAtOnce) {
  constexpr int kProcesses = 4, kEach = 25;
  std::vector<pid_t> children;
  store();
  for (int c = 0; c < kProcesses; ++c) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto opened = EvidenceStore::open(folder_);
      for (int i = 0; i < kEach; ++i) {
        const EvidenceRow row = row_of("m" + std::to_string(c), "a", i);
        if (!opened.ok() || !opened->append({&row, 1}).ok()) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(store().stats()->rows, static_cast<uint64_t>(kProcesses * kEach));
  EXPECT_EQ(store().stats()->unreadable, 0u);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto rows, store().find({.model_digest = "m2"}));
  ASSERT_THAT(rows, SizeIs(kEach));
  for (int i = 0; i < kEach; ++i) EXPECT_EQ(rows[static_cast<size_t>(i)].p50_ns, i);
}

}  // namespace
}  // namespace axle
