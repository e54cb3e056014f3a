#include "planner/mixed_costs.h"

#include <algorithm>
#include <map>

#include "planner/cut_problem.h"

namespace axle {
namespace {

__extension__ typedef __int128 Wide;

constexpr int64_t kHandOverNs = 200;       // binding a tensor in host memory
constexpr int64_t kDeviceCopyNs = 10'000;  // beginning a copy to or from a device's own memory
constexpr int64_t kDiscreteBytesPerUs = 12'000, kIntegratedBytesPerUs = 40'000;

bool is_below(const PlaceScale& a, const PlaceScale& b) {
  return static_cast<Wide>(a.measured_ns) * b.estimated_ns < static_cast<Wide>(b.measured_ns) * a.estimated_ns;
}

}  // namespace

bool has_own_memory(const Resource& resource) { return resource.kind != ResourceKind::kCpu; }

int64_t crossing_ns(const PlanningContext& context, const PartPlace& place, const TensorFacts& tensor, bool into) {
  const auto& dtypes = place.on.place.facts->capability.dtypes;
  const DataType dtype = element_type_of(tensor.type);
  if (dtype == DataType::kUndefined) return kNoWay;
  if (!dtypes.empty() && std::find(dtypes.begin(), dtypes.end(), dtype) == dtypes.end()) return kNoWay;
  const Resource& resource = *place.on.place.resource;
  const DeviceProfile* profile = find_profile(context.input, resource.id);
  // Banks do not see each other: every node there moves what it reads and makes, and counts that itself.
  const bool banks = profile != nullptr && profile->banks.count.value > 0;
  if (!has_own_memory(resource) || banks) return into ? kHandOverNs : 0;
  const bool integrated = std::find(resource.tags.begin(), resource.tags.end(), "integrated") != resource.tags.end();
  const auto bytes = static_cast<int64_t>(std::min<uint64_t>(tensor.bytes, uint64_t{1} << 50));
  return kDeviceCopyNs + bytes / (integrated ? kIntegratedBytesPerUs : kDiscreteBytesPerUs) * 1000;
}

Roofline place_roofline(const PlanningContext& context, const Considered& on) {
  return roofline_of(context.machine, *on.place.resource, on.candidate.precision, on.candidate.threads,
                     find_profile(context.input, on.place.resource->id));
}

int64_t PlaceScale::apply(int64_t ns) const {
  if (!known()) return ns;
  const Wide wide = static_cast<Wide>(ns) * measured_ns / estimated_ns;
  return wide > kLongestNodeNs ? kLongestNodeNs : static_cast<int64_t>(wide);
}

std::vector<PlaceScale> place_scales(const PlanningContext& context, const std::vector<PartPlace>& places) {
  std::vector<PlaceScale> scales(places.size());
  std::map<std::string, PlaceScale> fastest;
  for (size_t p = 0; p < places.size(); ++p) {
    const Considered& on = places[p].on;
    if (on.evidence.timing == nullptr) continue;
    scales[p] = {judged_ns(*on.evidence.timing),
                 estimate_ns(context.input.model, place_roofline(context, on), on.candidate.precision)};
    PlaceScale& least = fastest[on.candidate.resource];
    if (scales[p].known() && (!least.known() || is_below(scales[p], least))) least = scales[p];
  }
  // Where nothing of this model was measured, what other models took tells engines apart.
  std::map<std::string, PlaceScale> learned;
  for (size_t p = 0; p < places.size(); ++p) {
    const Considered& on = places[p].on;
    if (!on.learned.known() || fastest.contains(on.candidate.resource)) continue;
    scales[p] = {on.learned.permille, 1000};
    PlaceScale& least = learned[on.candidate.resource];
    if (!least.known() || is_below(scales[p], least)) least = scales[p];
  }
  fastest.merge(learned);
  for (size_t p = 0; p < places.size(); ++p) {
    const auto least = fastest.find(places[p].on.candidate.resource);
    if (!scales[p].known() && least != fastest.end()) scales[p] = least->second;
  }
  return scales;
}

}  // namespace axle
