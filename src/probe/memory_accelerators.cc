// Memory modules that compute: UPMEM's, by what their driver says of each rank.
#include <fmt/format.h>

#include <algorithm>

#include "probe/accelerators.h"

namespace axle {
namespace {

constexpr const char* kRanks = "/sys/class/dpu_rank";
constexpr uint64_t kMostMemory = uint64_t{1} << 50;
constexpr int64_t kMostBanksOfARank = 4096;
constexpr size_t kMostRanks = 1024;

struct Rank {
  std::string node;  // "/dev/dpu_rank0"
  int64_t banks = 0;
  uint64_t bank_bytes = 0;
  int64_t megahertz = 0;
  int64_t of_module = 0;  // ranks on its module
};

int64_t between(std::optional<int64_t> value, int64_t low, int64_t high) {
  return value && *value >= low && *value <= high ? *value : 0;
}

Rank read_rank(const SystemFiles& files, const std::string& name) {
  const std::string folder = std::string(kRanks) + "/" + name;
  const auto number = [&](const char* file) { return files.number(folder + "/" + file); };
  Rank rank;
  rank.node = "/dev/" + name;
  rank.banks = between(number("nb_ci"), 1, 64) * between(number("nb_dpus_per_ci"), 1, 64);
  rank.banks = std::min(rank.banks, kMostBanksOfARank);
  rank.bank_bytes = static_cast<uint64_t>(between(number("mram_size"), 1, int64_t{1} << 40));
  const int64_t division = between(number("clock_division"), 1, 64);
  if (division > 0) rank.megahertz = between(number("fck_frequency"), 1, 100'000) / division;
  rank.of_module = between(number("rank_count"), 1, 64);
  return rank;
}

std::vector<Rank> read_ranks(const SystemFiles& files) {
  std::vector<Rank> ranks;
  for (const std::string& name : files.list(kRanks)) {
    if (name.starts_with("dpu_rank") && ranks.size() < kMostRanks) ranks.push_back(read_rank(files, name));
  }
  if (!ranks.empty()) return ranks;
  for (const std::string& name : files.list("/dev")) {  // in a container without /sys
    if (name.starts_with("dpu_rank") && ranks.size() < kMostRanks) ranks.push_back({"/dev/" + name, 0, 0, 0, 0});
  }
  return ranks;
}

}  // namespace

// All ranks together: a weight is spread over every bank that there is.
std::vector<Resource> memory_accelerators(const SystemFiles& files) {
  const std::vector<Rank> ranks = read_ranks(files);
  if (ranks.empty()) return {};
  int64_t banks = 0;
  uint64_t bytes = 0;
  std::vector<std::string> nodes;
  for (const Rank& rank : ranks) {
    banks += rank.banks;
    bytes += static_cast<uint64_t>(rank.banks) * rank.bank_bytes;
    nodes.push_back(rank.node);
  }
  Resource resource;
  resource.kind = ResourceKind::kPim;
  resource.vendor = "upmem";
  resource.driver = driver_with_version(files, "dpu");
  resource.tags = {"discrete"};
  const int64_t of_module = ranks.front().of_module;
  const auto count = static_cast<int64_t>(ranks.size());
  resource.name = of_module > 0 && count % of_module == 0 ? fmt::format("UPMEM PIM, {} modules", count / of_module)
                                                          : fmt::format("UPMEM PIM, {} ranks", count);
  if (bytes > 0 && bytes < kMostMemory) {
    resource.memory_bytes = bytes;
    resource.attributes["memory_source"] = "driver";
  }
  resource.attributes["ranks"] = std::to_string(count);
  resource.attributes["path.nodes"] = fmt::format("{}", fmt::join(nodes, " "));
  if (banks > 0) resource.attributes["banks"] = std::to_string(banks);
  if (ranks.front().bank_bytes > 0) resource.attributes["bank_memory_bytes"] = std::to_string(ranks.front().bank_bytes);
  if (ranks.front().megahertz > 0) resource.attributes["clock_mhz"] = std::to_string(ranks.front().megahertz);
  return {resource};
}

}  // namespace axle
