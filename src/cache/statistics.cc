#include "cache/statistics.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <chrono>

#include "base/logging.h"
#include "base/text.h"

namespace axle {
namespace {

constexpr uint64_t kFoldAtBytes = 32u << 10;
constexpr uint64_t kMaxBytes = 1u << 20;
constexpr auto kLongestWait = std::chrono::milliseconds(500);

std::string to_line(const StatisticsTotals& totals) {
  return fmt::format("{} {} {} {}", totals.hits, totals.misses, totals.corrupt, totals.evictions);
}

// Saturates rather than wraps: the numbers come from a file.
void add_to(uint64_t& total, uint64_t amount) {
  if (__builtin_add_overflow(total, amount, &total)) total = UINT64_MAX;
}

void add_line(std::string_view line, StatisticsTotals& totals) {
  const auto words = split(line, ' ');
  std::array<uint64_t*, 4> fields = {&totals.hits, &totals.misses, &totals.corrupt, &totals.evictions};
  for (size_t i = 0; i < fields.size() && i < words.size(); ++i) {
    uint64_t amount = 0;
    std::from_chars(words[i].data(), words[i].data() + words[i].size(), amount);
    add_to(*fields[i], amount);
  }
}

}  // namespace

Statistics::Statistics(const std::string& path) : log_(path, "statistics 1", kMaxBytes) {}

void Statistics::add(const StatisticsTotals& amount) const noexcept {
  // Whoever asked for an artefact does not wait for a count of it.
  const auto give_up = std::chrono::steady_clock::now() + kLongestWait;
  Status done = log_.append({to_line(amount)}, CancelToken::with_deadline(give_up));
  if (done.ok() && log_.size_bytes() > kFoldAtBytes) done = fold();
  if (!done.ok()) AXLE_LOG(kDebug, "cache", "statistics: {}", done.to_string());
}

Status Statistics::fold() const {
  return log_.rewrite([](const std::vector<std::string>& lines) {
    StatisticsTotals totals;
    for (const std::string& line : lines) add_line(line, totals);
    return std::vector<std::string>{to_line(totals)};
  });
}

Result<StatisticsTotals> Statistics::totals() const {
  StatisticsTotals totals;
  AXLE_RETURN_IF_ERROR(log_.read([&](std::string_view line) { add_line(line, totals); }));
  return totals;
}

Result<uint64_t> Statistics::bad_lines() const { return log_.count_bad(); }

}  // namespace axle
