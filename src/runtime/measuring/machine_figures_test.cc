#include "runtime/measuring/machine_figures.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "base/clock.h"
#include "base/file.h"
#include "base/testing/file_faults.h"
#include "base/testing/status_matchers.h"
#include "runtime/measuring/peak_kernels.h"

namespace axle {
namespace {

using ::testing::IsEmpty;
using testing::IsOk;

TEST(PeakKernels, CountWhatTheyDo) {
  const std::vector<PeakKernel> kernels = peak_kernels();
  ASSERT_FALSE(kernels.empty());
  EXPECT_EQ(kernels.front().precision, "f32");
  for (const PeakKernel& kernel : kernels) {
    EXPECT_EQ(kernel.run(20), 2 * kernel.run(10)) << kernel.precision;
    const int64_t started = steady_ns();
    (void)kernel.run(2'000'000);
    EXPECT_GT(steady_ns() - started, 1'000'000) << kernel.precision << " was optimised away";
  }
}

TEST(PeakKernels, ReadingLeavesNothingOut) {
  for (const size_t size : {0, 1, 31, 32, 33, 1000}) {
    std::vector<uint64_t> words(size);
    for (size_t i = 0; i < size; ++i) words[i] = i + 1;
    EXPECT_EQ(read_through(words), size * (size + 1) / 2) << size;
  }
}

TEST(MachineFigures, AreMeasuredKeptAndUsed) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  RuntimeOptions options;
  options.cache_folder = scratch.file("cache");
  options.engines = {"none"};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto runtime, Runtime::create(options));
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime->machine());
  std::vector<ResourceProfile> before = profiles_of(machine);
  use_machine_figures(*runtime, machine, before);
  EXPECT_EQ(before, profiles_of(machine));

  AXLE_ASSERT_OK_AND_ASSIGN(const MachineFigures figures, measure_machine(*runtime));
  EXPECT_THAT(figures.notes, IsEmpty());
  ASSERT_FALSE(figures.nodes.empty());
  EXPECT_GT(figures.nodes.front().megabytes_per_second, 500u);
  EXPECT_LT(figures.nodes.front().megabytes_per_second, 10'000'000u);
  std::vector<ResourceProfile> profiles = profiles_of(machine);
  use_machine_figures(*runtime, machine, profiles);
  ASSERT_FALSE(profiles.empty());
  const DeviceProfile& cpu = profiles.front().profile;
  EXPECT_EQ(cpu.memory_bandwidth.kind, FigureKind::kMeasured);
  EXPECT_NEAR(static_cast<double>(cpu.peaks.at("f32").value), static_cast<double>(figures.peaks.front().megaflops),
              1e-6 * static_cast<double>(figures.peaks.front().megaflops) + 1);

  // A damaged file is worth nothing, and no reason to fail.
  ASSERT_THAT(write_file_atomic(machine_figures_path(*runtime, machine), "{"), IsOk());
  std::vector<ResourceProfile> after = profiles_of(machine);
  use_machine_figures(*runtime, machine, after);
  EXPECT_EQ(after, profiles_of(machine));
}

MachineFigures figures_of(uint64_t megabytes_per_second) {
  MachineFigures figures;
  figures.nodes = {{0, megabytes_per_second, 2}};
  figures.peaks = {{"f32", "avx2", 100'000, 2}};
  return figures;
}

// 0 = none are kept.
uint64_t kept_bandwidth(Runtime& runtime, const Machine& machine) {
  std::vector<ResourceProfile> profiles;
  use_machine_figures(runtime, machine, profiles);
  return profiles.empty() ? 0 : profiles.front().profile.memory_bandwidth.value;
}

// Whether a process that keeps figures came to step number `step` of writing their file, which was its last.
bool dies_at(Runtime& runtime, const Machine& machine, int step) {
  const pid_t child = ::fork();
  if (child == 0) {
    const testing::FileFaults fault(step, 0);
    ::_exit(keep_machine_figures(runtime, machine, figures_of(22'000)).ok() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << step;
  return WIFSIGNALED(status);
}

TEST(MachineFigures, AKillWhileTheyAreKeptLeavesTheOldOnesOrTheNew) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  RuntimeOptions options;
  options.cache_folder = scratch.file("cache");
  options.engines = {"none"};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto runtime, Runtime::create(options));
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime->machine());
  int kills = 0;
  for (const uint64_t before : {0, 11'000}) {
    if (before != 0) {
      ASSERT_THAT(keep_machine_figures(*runtime, machine, figures_of(before)), IsOk());
    }
    int step = 0;
    for (; dies_at(*runtime, machine, step); ++step) {
      ASSERT_LT(step, 50);
      ++kills;
      EXPECT_EQ(kept_bandwidth(*runtime, machine), before) << step;
      EXPECT_EQ(std::filesystem::exists(machine_figures_path(*runtime, machine)), before != 0) << step;
    }
    EXPECT_EQ(kept_bandwidth(*runtime, machine), 22'000u);
    std::filesystem::remove(machine_figures_path(*runtime, machine));
  }
  EXPECT_GE(kills, 8) << "create, write, sync and rename, each twice";

  // What the killed left is removed once it is old.
  const std::filesystem::path folder = machine_figures_folder(*runtime);
  for (const auto& left : std::filesystem::directory_iterator(folder))
    std::filesystem::last_write_time(left.path(), std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  ASSERT_THAT(keep_machine_figures(*runtime, machine, figures_of(33'000)), IsOk());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_EQ(kept_bandwidth(*runtime, machine), 33'000u);
}

TEST(MachineFigures, AFullDiskLosesNone) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  RuntimeOptions options;
  options.cache_folder = scratch.file("cache");
  options.engines = {"none"};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto runtime, Runtime::create(options));
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime->machine());
  ASSERT_THAT(keep_machine_figures(*runtime, machine, figures_of(11'000)), IsOk());
  int step = 0;
  for (;; ++step) {
    const testing::FileFaults fault(step);
    const Status kept = keep_machine_figures(*runtime, machine, figures_of(22'000));
    if (kept.ok()) break;
    EXPECT_THAT(kept, testing::StatusIs(StatusCode::kResourceExhausted)) << step;
    EXPECT_EQ(kept_bandwidth(*runtime, machine), 11'000u) << step;
  }
  EXPECT_EQ(step, 4) << "create, write, sync, rename";
  EXPECT_EQ(kept_bandwidth(*runtime, machine), 22'000u);
}

}  // namespace
}  // namespace axle
