#include "planner/mixed_plan.h"

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "planner/assemble.h"
#include "spec/candidate.h"

namespace axle {
namespace {

__extension__ typedef __int128 Wide;

int64_t share_of(int64_t whole, int64_t part, int64_t parts) {
  return static_cast<int64_t>(static_cast<Wide>(whole) * part / std::max<int64_t>(parts, 1));
}

MixedName name_of(const std::vector<Partition>& partitions) {
  MixedName name;
  name.candidates = candidates_of(partitions);
  Sha256 cut;
  for (const Partition& part : partitions) {
    cut.update_field(part.candidate.format()).update_field(std::to_string(part.nodes.size()));
    for (const std::string& node : part.nodes) cut.update_field(node);
  }
  name.cut = cut.finish().hex().substr(0, 8);
  return name;
}

}  // namespace

std::string plan_name(const std::vector<Partition>& all) {
  // Prepared shapes repeat the same partitions: the first ones are what was judged. Of two loads it is the low one.
  std::vector<Partition> partitions;
  for (const Partition& part : all) {
    if (part.axes == all.front().axes && part.load == all.front().load) partitions.push_back(part);
  }
  return partitions.size() == 1 ? partitions.front().candidate.format() : name_of(partitions).format();
}

std::string plan_library_digest(const std::vector<Partition>& partitions) {
  std::map<std::string, std::string> digests;
  for (const Partition& part : partitions) digests[part.candidate.engine] = part.library_digest;
  if (digests.size() == 1) return digests.begin()->second;
  Sha256 hash;
  for (const auto& [engine, digest] : digests) hash.update_field(engine).update_field(digest);
  return hash.finish().to_string();
}

std::vector<Partition> mixed_partitions(const PlanningContext& context, const Considered& considered) {
  const MixedPlan& mixed = *considered.mixed;
  const int64_t measured_ns = considered.evidence.timing == nullptr ? 0 : judged_ns(*considered.evidence.timing);
  std::vector<Partition> partitions;
  for (const MixedPart& part : mixed.parts) {
    Partition partition = make_partition(context, part.on);
    partition.id = static_cast<int32_t>(partitions.size());
    for (const int32_t node : part.nodes) partition.nodes.push_back(mixed.model->nodes[static_cast<size_t>(node)].name);
    partition.inputs = part.inputs;
    partition.outputs = part.outputs;
    partition.spin = false;
    partition.expected_ns = part.expected_ns;
    partition.expected_from_evidence = measured_ns > 0;
    if (measured_ns > 0) partition.expected_ns = share_of(measured_ns, part.expected_ns, mixed.expected_ns);
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

}  // namespace axle
