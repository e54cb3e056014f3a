#include "probe/cgroup.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace axle {
namespace {

constexpr int kMaxLevels = 64;
// Version 1 writes "no limit" as the largest page-aligned number.
constexpr int64_t kUnlimitedBytes = int64_t{1} << 60;

struct Mount {
  std::string point;  // where it is seen
  std::string root;   // which group is seen there
};

bool has_controller(std::string_view list, std::string_view controller) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == controller) return true;
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return false;
}

// mountinfo: "id parent major:minor root point options ... - type source super_options".
std::optional<Mount> find_mount(std::string_view mountinfo, std::string_view controller) {
  for (const std::string_view line : split_lines(mountinfo)) {
    const std::vector<std::string_view> words = split_words(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const bool v2 = controller.empty() && dash[1] == "cgroup2";
    const bool v1 = !controller.empty() && dash[1] == "cgroup" && has_controller(dash[3], controller);
    if (v1 || v2) return Mount{std::string(words[4]), std::string(words[3])};
  }
  return std::nullopt;
}

// /proc/self/cgroup: "0::/path" for version 2, "7:memory:/path" for version 1.
std::optional<std::string> find_group(std::string_view cgroup, std::string_view controller) {
  for (const std::string_view line : split_lines(cgroup)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : has_controller(names, controller)) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

// Folders from this process's group up to the mount point.
std::vector<std::string> folders(const std::string& cgroup, const std::string& mountinfo, std::string_view controller) {
  const std::optional<Mount> mount = find_mount(mountinfo, controller);
  const std::optional<std::string> group = find_group(cgroup, controller);
  if (!mount || !group) return {};
  std::string below = *group;
  const bool inside = mount->root == "/" || below == mount->root || below.starts_with(mount->root + "/");
  if (mount->root != "/") below = inside ? below.substr(mount->root.size()) : "";
  // "/../x" appears when the namespace's root is elsewhere: only the mount itself can be trusted then.
  if (below.find("..") != std::string::npos) below.clear();
  while (!below.empty() && below.back() == '/') below.pop_back();
  std::vector<std::string> out;
  for (int level = 0; level < kMaxLevels && !below.empty(); ++level) {
    out.push_back(mount->point + below);
    below.resize(std::min(below.rfind('/'), below.size()));
  }
  out.push_back(mount->point);
  return out;
}

void limit_quota(std::optional<int64_t> quota, std::optional<int64_t> period, CgroupLimits& limits) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return;
  const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
  limits.cpu_quota = limits.cpu_quota == 0 ? cpus : std::min(limits.cpu_quota, cpus);
}

void limit_memory(std::optional<int64_t> limit, std::optional<int64_t> used, CgroupLimits& limits) {
  if (!limit || *limit <= 0 || *limit >= kUnlimitedBytes) return;
  const auto bytes = static_cast<uint64_t>(*limit);
  if (limits.memory_limit_bytes != 0 && limits.memory_limit_bytes <= bytes) return;
  limits.memory_limit_bytes = bytes;
  limits.memory_used_bytes = static_cast<uint64_t>(std::max<int64_t>(used.value_or(0), 0));
}

void limit_cpuset(const std::string& list, CgroupLimits& limits) {
  const std::vector<int32_t> cpus = parse_cpu_list(list);
  if (cpus.empty()) return;
  if (limits.cpuset.empty()) {
    limits.cpuset = cpus;
    return;
  }
  std::vector<int32_t> both;
  std::set_intersection(cpus.begin(), cpus.end(), limits.cpuset.begin(), limits.cpuset.end(), std::back_inserter(both));
  if (!both.empty()) limits.cpuset = std::move(both);
}

void read_version2(const SystemFiles& files, const std::vector<std::string>& groups, CgroupLimits& limits) {
  for (const std::string& folder : groups) {
    const std::string max = files.line(folder + "/cpu.max").value_or("");
    const std::vector<std::string_view> words = split_words(max);
    if (words.size() == 2) limit_quota(parse_number(words[0]), parse_number(words[1]), limits);
    limit_memory(files.number(folder + "/memory.max"), files.number(folder + "/memory.current"), limits);
    limit_cpuset(files.line(folder + "/cpuset.cpus.effective").value_or(""), limits);
  }
}

}  // namespace

CgroupLimits read_cgroup_limits(const SystemFiles& files) {
  CgroupLimits limits;
  const std::string cgroup = files.content("/proc/self/cgroup").value_or("");
  const std::string mountinfo = files.content("/proc/self/mountinfo", 1u << 20).value_or("");
  read_version2(files, folders(cgroup, mountinfo, ""), limits);
  for (const std::string& folder : folders(cgroup, mountinfo, "cpu")) {
    limit_quota(files.number(folder + "/cpu.cfs_quota_us"), files.number(folder + "/cpu.cfs_period_us"), limits);
  }
  for (const std::string& folder : folders(cgroup, mountinfo, "memory")) {
    limit_memory(files.number(folder + "/memory.limit_in_bytes"), files.number(folder + "/memory.usage_in_bytes"), limits);
  }
  for (const std::string& folder : folders(cgroup, mountinfo, "cpuset")) {
    limit_cpuset(files.line(folder + "/cpuset.effective_cpus").value_or(""), limits);
    limit_cpuset(files.line(folder + "/cpuset.cpus").value_or(""), limits);
  }
  return limits;
}

}  // namespace axle
