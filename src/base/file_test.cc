#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/testing/file_faults.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::FileFaults;
using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = ScratchDir::create();
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    folder_.emplace(std::move(made).value());
  }
  std::string path(std::string_view name) const { return folder_->file(name); }
  size_t entries() const { return list_dir(folder_->path())->size(); }
  std::optional<ScratchDir> folder_;
};

TEST_F(FileTest, ReadsWhatWasWritten) {
  const std::string content("a\0b", 3);
  ASSERT_THAT(write_file_atomic(path("f"), content), IsOk());
  EXPECT_THAT(read_file(path("f"), 100), IsOkAndHolds(content));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, ReadIsBounded) {
  ASSERT_THAT(write_file_atomic(path("f"), "12345"), IsOk());
  EXPECT_THAT(read_file(path("f"), 5), IsOkAndHolds("12345"));
  EXPECT_THAT(read_file(path("f"), 4), StatusIs(StatusCode::kResourceExhausted, "limit of 4"));
  EXPECT_THAT(read_file("/dev/zero", 10000), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(read_file(path("absent"), 5), StatusIs(StatusCode::kNotFound, "absent"));
}

TEST_F(FileTest, ReadsFilesThatDeclareNoSize) {
  const auto content = read_file("/proc/self/status", 1 << 20);
  ASSERT_THAT(content, IsOk());
  EXPECT_NE(content->find("Pid:"), std::string::npos);
}

// Guards: an id in sysfs, of seven bytes in a file of 4,096 by its size, was over a limit of 64.
TEST_F(FileTest, ReadsFilesThatDeclareMoreThanTheyHold) {
  const std::string file = "/sys/devices/system/cpu/online";
  if (::access(file.c_str(), R_OK) != 0) GTEST_SKIP() << file << " is not here";
  const auto content = read_file(file, 1 << 20);
  ASSERT_THAT(content, IsOk());
  EXPECT_THAT(read_file(file, content->size()), IsOkAndHolds(*content));
  EXPECT_THAT(read_file(file, content->size() - 1), StatusIs(StatusCode::kResourceExhausted));
}

TEST_F(FileTest, WithoutCommitTheOldFileStays) {
  ASSERT_THAT(write_file_atomic(path("f"), "old"), IsOk());
  {
    AXLE_ASSERT_OK_AND_ASSIGN(AtomicFile file, AtomicFile::create(path("f")));
    ASSERT_THAT(file.write("new"), IsOk());
    EXPECT_EQ(entries(), 2u);
  }
  EXPECT_THAT(read_file(path("f"), 100), IsOkAndHolds("old"));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, EveryFailingStepLeavesTheOldFileAndNothingElse) {
  ASSERT_THAT(write_file_atomic(path("f"), "old"), IsOk());
  int steps = 0;
  {
    const FileFaults count(-1);
    ASSERT_THAT(write_file_atomic(path("other"), "x"), IsOk());
    steps = count.steps();
  }
  ASSERT_EQ(steps, 4);
  for (int step = 0; step < steps; ++step) {
    const FileFaults fail(step);
    EXPECT_THAT(write_file_atomic(path("f"), "new"), StatusIs(StatusCode::kResourceExhausted, "No space left")) << step;
    EXPECT_THAT(read_file(path("f"), 100), IsOkAndHolds("old")) << step;
    EXPECT_EQ(entries(), 2u) << step;
  }
}

TEST_F(FileTest, FileSizeLimitIsAnErrorNotASignal) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Status status = write_file_atomic(path("f"), std::string(5000, 'x'));
    ::_exit(status.code() == StatusCode::kResourceExhausted && status.hint().find("ulimit") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(entries(), 0u);
}

TEST_F(FileTest, ModesAreAsAsked) {
  ASSERT_THAT(write_file_atomic(path("f"), "x", kPrivateFileMode), IsOk());
  struct stat status{};
  ASSERT_EQ(::stat(path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(FileTest, WritingSpecialFilesGoesToThem) {
  EXPECT_THAT(write_file_atomic("/dev/null", "x"), IsOk());
  EXPECT_THAT(write_file_atomic(folder_->path(), "x"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(write_file_atomic(path("no/such/f"), "x"), StatusIs(StatusCode::kNotFound));
}

TEST_F(FileTest, WritingAClosedPipeIsAnErrorNotASignal) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::thread reader([this] { UniqueFd(::open(path("pipe").c_str(), O_RDONLY | O_CLOEXEC)); });
  auto file = AtomicFile::create(path("pipe"));
  reader.join();
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->write("x"), StatusIs(StatusCode::kUnknown, "Broken pipe"));
}

TEST_F(FileTest, MappedFileShowsTheBytes) {
  ASSERT_THAT(write_file_atomic(path("f"), "content"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(MappedFile first, MappedFile::open(path("f")));
  const MappedFile moved = std::move(first);
  EXPECT_EQ(moved.text(), "content");
  EXPECT_TRUE(first.bytes().empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(moved.stamp().size_bytes, 7);
  EXPECT_THAT(moved.check_unchanged(), IsOk());
  EXPECT_THAT(MappedFile::open(path("f"), 6), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(MappedFile::open(folder_->path()), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(FileTest, MappedFileOfNothingIsEmpty) {
  ASSERT_THAT(write_file_atomic(path("f"), ""), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const MappedFile mapped, MappedFile::open(path("f")));
  EXPECT_TRUE(mapped.bytes().empty());
}

TEST_F(FileTest, MappedFileNoticesTruncationButNotReplacement) {
  ASSERT_THAT(write_file_atomic(path("f"), "content"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const MappedFile mapped, MappedFile::open(path("f")));
  ASSERT_THAT(write_file_atomic(path("f"), "new"), IsOk());
  EXPECT_THAT(mapped.check_unchanged(), IsOk());
  EXPECT_EQ(mapped.text(), "content");
  AXLE_ASSERT_OK_AND_ASSIGN(const MappedFile second, MappedFile::open(path("f")));
  ASSERT_EQ(::truncate(path("f").c_str(), 1), 0);
  EXPECT_THAT(second.check_unchanged(), StatusIs(StatusCode::kDataLoss, "was changed"));
}

TEST_F(FileTest, ListsSortedAndBounded) {
  ASSERT_THAT(make_dirs(path("b/c")), IsOk());
  ASSERT_THAT(write_file_atomic(path("a"), "x"), IsOk());
  ASSERT_EQ(::symlink("a", path("link").c_str()), 0);
  EXPECT_THAT(list_dir(folder_->path()),
              IsOkAndHolds(std::vector<DirEntry>{{"a", false, true}, {"b", true, false}, {"link", false, false}}));
  EXPECT_THAT(list_dir(folder_->path(), 2), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(list_dir(path("absent")), StatusIs(StatusCode::kNotFound));
}

TEST_F(FileTest, MakeDirsIsIdempotentAndRefusesFilesInTheWay) {
  EXPECT_THAT(make_dirs(path("x/y/z")), IsOk());
  EXPECT_THAT(make_dirs(path("x/y/z/")), IsOk());
  ASSERT_THAT(write_file_atomic(path("f"), "x"), IsOk());
  EXPECT_THAT(make_dirs(path("f/g")), StatusIs(StatusCode::kAlreadyExists, "is a file"));
}

TEST_F(FileTest, RemoveTreeDoesNotFollowLinks) {
  ASSERT_THAT(make_dirs(path("keep")), IsOk());
  ASSERT_THAT(make_dirs(path("gone/sub")), IsOk());
  ASSERT_EQ(::symlink(path("keep").c_str(), path("gone/link").c_str()), 0);
  EXPECT_THAT(remove_tree(path("gone")), IsOk());
  EXPECT_THAT(remove_tree(path("gone")), IsOk());
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, PrivateFolderIsWrittenByItsOwnerOnly) {
  EXPECT_THAT(check_private_folder(folder_->path()), IsOk());
  ASSERT_EQ(::chmod(folder_->path().c_str(), 0770), 0);
  EXPECT_THAT(check_private_folder(folder_->path()), StatusIs(StatusCode::kPermissionDenied, "chmod"));
  EXPECT_THAT(check_private_folder(path("absent")), StatusIs(StatusCode::kNotFound));
}

TEST(ScratchDir, RemovesItself) {
  std::string path;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
    path = folder.path();
    ASSERT_THAT(write_file_atomic(folder.file("f"), "x"), IsOk());
  }
  EXPECT_THAT(list_dir(path), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(ScratchDir::create("/no/such/folder"), StatusIs(StatusCode::kNotFound));
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir left, ScratchDir::create());
  remove_scratch_dirs();
  EXPECT_THAT(list_dir(left.path()), StatusIs(StatusCode::kNotFound));
}

// A child that ends with its destructors must not take its parent's files away.
TEST(ScratchDir, StaysWhenAForkedChildDestroysItsCopy) {
  AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir made, ScratchDir::create());
  std::optional<ScratchDir> folder(std::move(made));
  ASSERT_THAT(write_file_atomic(folder->file("f"), "x"), IsOk());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto own = ScratchDir::create();
    const std::string own_path = own.ok() ? own->path() : "";
    folder.reset();
    if (!own.ok()) ::_exit(1);
    {
      const ScratchDir gone = *std::move(own);
    }
    ::_exit(list_dir(own_path).status().code() == StatusCode::kNotFound ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_THAT(read_file(folder->file("f"), 100), IsOkAndHolds("x"));
}

constexpr int64_t kSecond = 1'000'000'000;

TEST_F(FileTest, StampIsTrustedOnlyWhenSettledAndPrivate) {
  ASSERT_THAT(write_file_atomic(path("f"), "x", kPrivateFileMode), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const FileStamp stamp, FileStamp::of_path(path("f")));
  EXPECT_FALSE(stamp.trustworthy(path("f"), stamp.ctime_ns + kSecond));
  EXPECT_TRUE(stamp.trustworthy(path("f"), stamp.ctime_ns + 3 * kSecond));
  ASSERT_EQ(::chmod(folder_->path().c_str(), 0777), 0);
  EXPECT_FALSE(stamp.trustworthy(path("f"), stamp.ctime_ns + 3 * kSecond));
  ASSERT_EQ(::chmod(folder_->path().c_str(), 0700), 0);
  ASSERT_EQ(::chmod(path("f").c_str(), 0666), 0);
  EXPECT_FALSE(stamp.trustworthy(path("f"), stamp.ctime_ns + 30 * kSecond)) << "ctime has moved and others may write";
  EXPECT_FALSE(stamp.trustworthy(path("absent"), stamp.ctime_ns + 3 * kSecond));
}

TEST_F(FileTest, StampShowsASwapOfTheSameSizeAndTime) {
  ASSERT_THAT(write_file_atomic(path("f"), "aaaa"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const FileStamp before, FileStamp::of_path(path("f")));
  ASSERT_THAT(write_file_atomic(path("f"), "bbbb"), IsOk());
  const timespec times[2] = {{before.mtime_ns / kSecond, before.mtime_ns % kSecond},
                             {before.mtime_ns / kSecond, before.mtime_ns % kSecond}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("f").c_str(), times, 0), 0);
  AXLE_ASSERT_OK_AND_ASSIGN(const FileStamp after, FileStamp::of_path(path("f")));
  EXPECT_EQ(before.mtime_ns, after.mtime_ns);
  EXPECT_EQ(before.size_bytes, after.size_bytes);
  EXPECT_FALSE(before == after);
}

TEST(FileStamp, TextRoundTrips) {
  const FileStamp stamp{1, UINT64_MAX, 3, 4, -5};
  EXPECT_THAT(FileStamp::parse(stamp.to_string()), IsOkAndHolds(stamp));
  for (const char* bad : {"", "1:2:3:4", "1:2:3:4:5:6", "1:2:x:4:5", "1:2:3:4:5 ", "-1:2:3:4:5"}) {
    EXPECT_THAT(FileStamp::parse(bad), StatusIs(StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace axle
