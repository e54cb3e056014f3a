#include "model/topological_order.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>

namespace axle {
namespace {

// Every node in `remaining` uses another one in it, so walking back must meet a node twice.
std::vector<int32_t> find_cycle(const std::vector<std::vector<int32_t>>& uses, const std::vector<int32_t>& pending) {
  const auto is_open = [&](int32_t node) { return pending[node] > 0; };
  int32_t node =
      static_cast<int32_t>(std::find_if(pending.begin(), pending.end(), [](int32_t n) { return n > 0; }) - pending.begin());
  std::vector<int32_t> seen_at(uses.size(), -1), path;
  while (seen_at[node] < 0) {
    seen_at[node] = static_cast<int32_t>(path.size());
    path.push_back(node);
    node = *std::find_if(uses[node].begin(), uses[node].end(), is_open);
  }
  std::vector<int32_t> cycle(path.begin() + seen_at[node], path.end());
  std::reverse(cycle.begin(), cycle.end());
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

}  // namespace

TopologicalOrder order_topologically(const std::vector<std::vector<int32_t>>& uses) {
  const auto count = static_cast<int32_t>(uses.size());
  TopologicalOrder result;
  bool sorted = true;
  for (int32_t node = 0; node < count && sorted; ++node) {
    sorted = std::all_of(uses[node].begin(), uses[node].end(), [&](int32_t used) { return used < node; });
  }
  if (sorted) {
    result.order.resize(uses.size());
    std::iota(result.order.begin(), result.order.end(), 0);
    return result;
  }
  std::vector<std::vector<int32_t>> users(uses.size());
  std::vector<int32_t> pending(uses.size(), 0);
  for (int32_t node = 0; node < count; ++node) {
    for (const int32_t used : uses[node]) {
      users[used].push_back(node);
      ++pending[node];
    }
  }
  std::priority_queue<int32_t, std::vector<int32_t>, std::greater<>> ready;
  for (int32_t node = 0; node < count; ++node) {
    if (pending[node] == 0) ready.push(node);
  }
  while (!ready.empty()) {
    const int32_t node = ready.top();
    ready.pop();
    result.order.push_back(node);
    for (const int32_t user : users[node]) {
      if (--pending[user] == 0) ready.push(user);
    }
  }
  if (result.order.size() != uses.size()) result.cycle = find_cycle(uses, pending);
  return result;
}

}  // namespace axle
