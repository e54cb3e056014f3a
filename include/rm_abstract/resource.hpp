// The resource model of rm_abstract: what can execute, what it can do, how a model is built for it, what was built. Values; they are
// axle's own things under this front door's names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/engine.h"
#include "axle/export.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace rm_abstract {

enum class ResourceType : uint8_t { GPU, NPU, PIM, CPU, REMOTE, HYBRID };

AXLE_API std::string_view resource_type_name(ResourceType type) noexcept;  // "gpu", ...: axle's words
AXLE_API ResourceType resource_type_of(axle::ResourceKind kind) noexcept;
AXLE_API axle::ResourceKind resource_kind_of(ResourceType type) noexcept;
// "fp16" is axle's "f16".
AXLE_API std::string axle_precision(std::string_view dtype);

struct Resource {
  std::string id;  // unique in its pool; of one that axle found, axle's selector of it
  ResourceType type = ResourceType::CPU;
  std::map<std::string, std::string> attributes;  // "vendor", "name", "driver", "memory_bytes", "pci_id", ...
  std::vector<std::string> tags;  // "sim" marks a simulated one

  AXLE_API bool has_tag(std::string_view tag) const noexcept;
  bool simulated() const noexcept { return has_tag(axle::kSimulatedTag); }
  AXLE_API static Resource from_axle(const axle::Resource& resource);
  friend bool operator==(const Resource&, const Resource&) = default;
};

// Absent = not known, which no requirement is taken to be met by.
struct Capability {
  std::optional<int64_t> max_batch_size;
  std::optional<int64_t> max_seq_len;
  std::vector<std::string> dtype;  // "fp32", "fp16", "int8", ...
  bool requires_precompile = false;
  std::vector<std::string> optimized_for;  // "latency", "throughput", "energy", "cost"
  std::vector<std::string> formats;  // of models, in axle's words

  AXLE_API bool supports(std::string_view precision, int64_t batch_size = 0, int64_t seq_len = 0) const;  // 0 = does not matter
  AXLE_API static Capability from_axle(const axle::Capability& capability);
  friend bool operator==(const Capability&, const Capability&) = default;
};

struct BuildProfile {
  ResourceType target_resource_type = ResourceType::NPU;
  std::string compiler;  // its name; of axle's own plugins, the engine's
  std::string compiler_version;  // "" = any
  std::map<std::string, std::string> flags;  // "precision" is also what the result computes in
  std::string interface = "cli";  // "cli", "config", "engine"

  AXLE_API std::string precision() const;
  friend bool operator==(const BuildProfile&, const BuildProfile&) = default;
};

struct BuildArtifact {
  std::string path;  // the compiled file
  std::string model_id;  // the caller's name for the model
  BuildProfile profile;
  std::string model_path, model_digest;
  std::string key_digest;  // of the entry in axle's cache
  std::string cache;  // "hit", "miss"
  int64_t compile_ns = 0;
  std::string log;  // what the compiler printed
};

// Resources by their ids, in the order they were added. Thread-compatible.
class AXLE_API ResourcePool {
 public:
  // This machine's.
  static axle::Result<ResourcePool> discover(axle::Runtime& runtime);
  axle::Status add(Resource resource);  // ALREADY_EXISTS
  axle::Status remove(std::string_view id);  // NOT_FOUND
  const Resource* find(std::string_view id) const noexcept;
  // Of a type with all of these tags; simulated ones only when the tag "sim" is asked for.
  std::vector<Resource> select(std::optional<ResourceType> type, const std::vector<std::string>& tags = {}) const;
  const std::vector<Resource>& all() const noexcept { return resources_; }

 private:
  std::vector<Resource> resources_;
};

}  // namespace rm_abstract
