#include "rm_abstract/resource.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rm_abstract {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 8> kDtypes = {{{"fp64", "f64"},
                                                                         {"fp32", "f32"},
                                                                         {"fp16", "f16"},
                                                                         {"uint8", "u8"},
                                                                         {"uint16", "u16"},
                                                                         {"int16", "i16"},
                                                                         {"int32", "i32"},
                                                                         {"int64", "i64"}}};

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string_view resource_type_name(ResourceType type) noexcept { return axle::resource_kind_name(resource_kind_of(type)); }

ResourceType resource_type_of(axle::ResourceKind kind) noexcept {
  switch (kind) {
    case axle::ResourceKind::kCpu: return ResourceType::CPU;
    case axle::ResourceKind::kGpu: return ResourceType::GPU;
    case axle::ResourceKind::kNpu: return ResourceType::NPU;
    case axle::ResourceKind::kPim: return ResourceType::PIM;
    case axle::ResourceKind::kRemote: return ResourceType::REMOTE;
    case axle::ResourceKind::kHybrid: break;
  }
  return ResourceType::HYBRID;
}

axle::ResourceKind resource_kind_of(ResourceType type) noexcept {
  switch (type) {
    case ResourceType::GPU: return axle::ResourceKind::kGpu;
    case ResourceType::NPU: return axle::ResourceKind::kNpu;
    case ResourceType::PIM: return axle::ResourceKind::kPim;
    case ResourceType::CPU: return axle::ResourceKind::kCpu;
    case ResourceType::REMOTE: return axle::ResourceKind::kRemote;
    case ResourceType::HYBRID: break;
  }
  return axle::ResourceKind::kHybrid;
}

std::string axle_precision(std::string_view dtype) {
  for (const auto& [theirs, ours] : kDtypes) {
    if (dtype == theirs) return ours;
  }
  return std::string(dtype);
}

bool Resource::has_tag(std::string_view tag) const noexcept { return contains(tags, tag); }

Resource Resource::from_axle(const axle::Resource& resource) {
  Resource made{resource.id, resource_type_of(resource.kind), resource.attributes, resource.tags};
  for (const auto& [name, value] : {std::pair<const char*, const std::string&>{"vendor", resource.vendor},
                                    {"name", resource.name},
                                    {"driver", resource.driver}}) {
    if (!value.empty()) made.attributes[name] = value;
  }
  if (resource.memory_bytes > 0) made.attributes["memory_bytes"] = std::to_string(resource.memory_bytes);
  if (resource.simulated && !made.simulated()) made.tags.emplace_back(axle::kSimulatedTag);
  return made;
}

bool Capability::supports(std::string_view precision, int64_t batch_size, int64_t seq_len) const {
  const bool computes = std::any_of(dtype.begin(), dtype.end(),
                                    [&](const std::string& own) { return axle_precision(own) == axle_precision(precision); });
  const auto within = [](int64_t wanted, const std::optional<int64_t>& limit) {
    return wanted == 0 || (limit && wanted <= *limit);
  };
  return (precision.empty() || computes) && within(batch_size, max_batch_size) && within(seq_len, max_seq_len);
}

Capability Capability::from_axle(const axle::Capability& capability) {
  Capability made;
  for (const axle::PrecisionSpec& precision : capability.precisions) {
    const auto* word =
        std::find_if(kDtypes.begin(), kDtypes.end(), [&](const auto& pair) { return precision.name == pair.second; });
    made.dtype.push_back(word == kDtypes.end() ? precision.name : word->first);
  }
  made.requires_precompile = capability.needs_compile;
  made.formats = capability.formats;
  return made;
}

std::string BuildProfile::precision() const {
  const auto found = flags.find("precision");
  return found == flags.end() ? "f32" : axle_precision(found->second);
}

axle::Result<ResourcePool> ResourcePool::discover(axle::Runtime& runtime) {
  ResourcePool pool;
  AXLE_ASSIGN_OR_RETURN(const axle::Machine machine, runtime.machine());
  for (const axle::Resource& resource : machine.resources) AXLE_RETURN_IF_ERROR(pool.add(Resource::from_axle(resource)));
  // Those that only an engine knows of.
  for (const axle::EngineState& state : runtime.engines().states()) {
    for (const axle::EngineResource& item : state.resources) {
      if (!state.present || pool.find(item.resource.id) != nullptr || !item.resource.simulated) continue;
      AXLE_RETURN_IF_ERROR(pool.add(Resource::from_axle(item.resource)));
    }
  }
  return pool;
}

axle::Status ResourcePool::add(Resource resource) {
  if (find(resource.id) != nullptr) return axle::already_exists_error("the pool has a resource '" + resource.id + "' already");
  resources_.push_back(std::move(resource));
  return axle::ok_status();
}

axle::Status ResourcePool::remove(std::string_view id) {
  const auto removed = std::erase_if(resources_, [&](const Resource& resource) { return resource.id == id; });
  return removed > 0 ? axle::ok_status() : axle::not_found_error("the pool has no resource '" + std::string(id) + "'");
}

const Resource* ResourcePool::find(std::string_view id) const noexcept {
  const auto found = std::find_if(resources_.begin(), resources_.end(), [&](const Resource& one) { return one.id == id; });
  return found == resources_.end() ? nullptr : &*found;
}

std::vector<Resource> ResourcePool::select(std::optional<ResourceType> type, const std::vector<std::string>& tags) const {
  std::vector<Resource> chosen;
  for (const Resource& resource : resources_) {
    const bool tagged = std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) { return resource.has_tag(tag); });
    const bool real = !resource.simulated() || contains(tags, axle::kSimulatedTag);
    if ((!type || resource.type == *type) && tagged && real) chosen.push_back(resource);
  }
  return chosen;
}

}  // namespace rm_abstract
