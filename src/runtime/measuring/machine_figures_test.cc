#include "runtime/measuring/machine_figures.h"

#include <gmock/gmock.h>

#include "base/clock.h"
#include "base/file.h"
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

}  // namespace
}  // namespace axle
