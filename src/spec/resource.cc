#include "spec/resource.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace axle {
namespace {

constexpr std::array<std::string_view, 6> kKindNames = {"cpu", "gpu", "npu", "pim", "remote", "hybrid"};

}  // namespace

std::string_view resource_kind_name(ResourceKind kind) noexcept {
  const auto at = static_cast<size_t>(kind);
  return at < kKindNames.size() ? kKindNames[at] : "unknown";
}

std::optional<ResourceKind> parse_resource_kind(std::string_view name) noexcept {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<ResourceKind>(found - kKindNames.begin());
}

std::string resource_id(ResourceKind kind, int32_t index, int32_t part) {
  if (part < 0) return fmt::format("{}:{}", resource_kind_name(kind), index);
  return fmt::format("{}:{}/{}", resource_kind_name(kind), index, part);
}

bool resource_before(const Resource& a, const Resource& b) {
  return std::tie(a.kind, a.index, a.part) < std::tie(b.kind, b.index, b.part);
}

const Resource* find_resource(const Machine& machine, std::string_view id) {
  for (const Resource& resource : machine.resources) {
    if (resource.id == id) return &resource;
  }
  return nullptr;
}

}  // namespace axle
