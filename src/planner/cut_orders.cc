// Topological orders that keep units of equal support together.
#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>

#include "planner/cut_search.h"

namespace axle {
namespace {

using Heap = std::priority_queue<int32_t, std::vector<int32_t>, std::greater<>>;

// Kahn's algorithm that goes on with units of the class it is in while there are any, then with the class that has most.
std::vector<int32_t> order_by_class(const CutUses& uses, const std::vector<int32_t>& class_of) {
  const size_t count = class_of.size();
  std::vector<std::vector<int32_t>> successors(count);
  std::vector<size_t> pending(count, 0);
  for (size_t unit = 0; unit < count; ++unit) {
    pending[unit] = uses.predecessors[unit].size();
    for (const int32_t before : uses.predecessors[unit])
      successors[static_cast<size_t>(before)].push_back(static_cast<int32_t>(unit));
  }
  std::map<int32_t, Heap> ready;
  for (size_t unit = 0; unit < count; ++unit) {
    if (pending[unit] == 0) ready[class_of[unit]].push(static_cast<int32_t>(unit));
  }
  std::vector<int32_t> order;
  auto current = ready.end();
  while (order.size() < count) {
    if (current == ready.end() || current->second.empty()) {
      current = std::max_element(ready.begin(), ready.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.size(), a.second.empty() ? 0 : -a.second.top()) <
               std::pair(b.second.size(), b.second.empty() ? 0 : -b.second.top());
      });
      if (current == ready.end() || current->second.empty()) break;  // a cycle: the caller checks the size
    }
    const int32_t unit = current->second.top();
    current->second.pop();
    order.push_back(unit);
    for (const int32_t next : successors[static_cast<size_t>(unit)]) {
      if (--pending[static_cast<size_t>(next)] == 0) ready[class_of[static_cast<size_t>(next)]].push(next);
    }
  }
  return order;
}

}  // namespace

std::vector<std::vector<int32_t>> support_orders(const CutProblem& problem, const CutUses& uses) {
  const auto count = static_cast<size_t>(problem.units);
  std::vector<std::vector<int32_t>> orders;
  const auto add = [&](const std::vector<int32_t>& class_of) {
    std::vector<int32_t> order = order_by_class(uses, class_of);
    if (order.size() == count && std::find(orders.begin(), orders.end(), order) == orders.end())
      orders.push_back(std::move(order));
  };
  add(std::vector<int32_t>(count, 0));
  std::vector<int32_t> class_of(count, 0);
  for (size_t unit = 0; unit < count; ++unit) {
    for (int32_t place = 0; place < problem.places; ++place)
      class_of[unit] |= problem.takes(static_cast<int32_t>(unit), place) ? static_cast<int32_t>(1u << (place % 31)) : 0;
  }
  add(class_of);
  constexpr size_t kManyUnits = 5'000;
  for (int32_t place = 0; place < problem.places && count <= kManyUnits; ++place) {
    for (size_t unit = 0; unit < count; ++unit) class_of[unit] = problem.takes(static_cast<int32_t>(unit), place) ? 1 : 0;
    add(class_of);
  }
  return orders;
}

}  // namespace axle
