// Reads a machine record strictly: every key known, every count bounded, every cross-reference checked.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "axle/device.h"
#include "base/file.h"
#include "base/json.h"
#include "spec/resource.h"

namespace axle {
namespace {

constexpr size_t kMaxRecordBytes = 16u << 20;
constexpr int kMaxDepth = 8;
constexpr size_t kMaxCpus = 8192;
constexpr size_t kMaxResources = 4096;
constexpr size_t kMaxListed = 1024;     // caches, NUMA nodes, counters, ISA names
constexpr size_t kMaxAttributes = 256;  // also tags
constexpr size_t kMaxTextBytes = 4096;
constexpr int64_t kMaxBytes = int64_t{1} << 53;  // what every JSON reader keeps exactly

int64_t bounded(JsonReader& reader, const char* key, int64_t low, int64_t high) {
  const int64_t value = reader.integer(key);
  if (value >= low && value <= high) return value;
  reader.fail(
      invalid_argument_error(fmt::format("{}.{} is {}; it must lie in [{}, {}]", reader.where(), key, value, low, high)));
  return low;
}

int32_t small(JsonReader& reader, const char* key, int64_t low = 0) {
  return static_cast<int32_t>(bounded(reader, key, low, std::numeric_limits<int32_t>::max()));
}

uint64_t bytes(JsonReader& reader, const char* key) { return static_cast<uint64_t>(bounded(reader, key, 0, kMaxBytes)); }

double non_negative(JsonReader& reader, const char* key, double low = 0) {
  const double value = reader.number(key);
  if (value >= low && value <= 1e12) return value;
  reader.fail(invalid_argument_error(fmt::format("{}.{} is {}; it must be at least {}", reader.where(), key, value, low)));
  return low;
}

std::string short_text(JsonReader& reader, const char* key) {
  std::string text = reader.text(key);
  if (text.size() <= kMaxTextBytes) return text;
  reader.fail(invalid_argument_error(
      fmt::format("{}.{} has {} bytes; the limit is {}", reader.where(), key, text.size(), kMaxTextBytes)));
  return "";
}

std::vector<std::string> short_texts(JsonReader& reader, const char* key, size_t limit) {
  std::vector<std::string> texts = reader.texts_or_empty(key);
  const bool fits = texts.size() <= limit &&
                    std::all_of(texts.begin(), texts.end(), [](const std::string& t) { return t.size() <= kMaxTextBytes; });
  if (fits) return texts;
  reader.fail(invalid_argument_error(fmt::format("{}.{} holds too many or too long texts", reader.where(), key)));
  return {};
}

// CPU numbers: ascending, without repetition.
std::vector<int32_t> cpu_numbers(JsonReader& reader, const char* key) {
  const std::vector<int64_t> numbers = reader.integers_or_empty(key);
  std::vector<int32_t> cpus;
  for (const int64_t number : numbers) {
    const bool ascending = cpus.empty() || number > cpus.back();
    if (number < 0 || number > std::numeric_limits<int32_t>::max() || !ascending || cpus.size() == kMaxCpus) {
      reader.fail(invalid_argument_error(
          fmt::format("{}.{} must hold at most {} CPU numbers in ascending order", reader.where(), key, kMaxCpus)));
      return {};
    }
    cpus.push_back(static_cast<int32_t>(number));
  }
  return cpus;
}

template <typename T, typename F>
std::vector<T> read_list(JsonReader& reader, const char* key, size_t limit, F read_item) {
  std::vector<T> items;
  const Json& array = reader.array(key);
  if (array.size() > limit) {
    reader.fail(
        invalid_argument_error(fmt::format("{}.{} has {} entries; the limit is {}", reader.where(), key, array.size(), limit)));
    return items;
  }
  for (size_t i = 0; i < array.size(); ++i) {
    JsonReader item(array[i], fmt::format("{}.{}[{}]", reader.where(), key, i));
    T value;
    if (item.status().ok()) value = read_item(item);
    if (Status status = item.finish(); !status.ok()) {
      reader.fail(std::move(status));
      return items;
    }
    items.push_back(std::move(value));
  }
  return items;
}

LogicalCpu read_cpu(JsonReader& r) {
  LogicalCpu cpu;
  cpu.id = small(r, "id");
  cpu.core = small(r, "core");
  cpu.package = small(r, "package");
  cpu.numa_node = small(r, "numa_node");
  cpu.smt_index = small(r, "smt_index");
  cpu.max_khz = bounded(r, "max_khz", 0, kMaxBytes);
  return cpu;
}

CpuCache read_cache(JsonReader& r) {
  CpuCache cache;
  cache.level = small(r, "level");
  cache.type = short_text(r, "type");
  cache.size_bytes = bytes(r, "size_bytes");
  cache.shared_by_cpus = small(r, "shared_by_cpus", 1);
  return cache;
}

NumaNode read_numa_node(JsonReader& r) {
  NumaNode node;
  node.id = small(r, "id");
  node.memory_bytes = bytes(r, "memory_bytes");
  node.cpus = cpu_numbers(r, "cpus");
  return node;
}

PowerCounter read_power_counter(JsonReader& r) {
  PowerCounter counter;
  counter.name = short_text(r, "name");
  counter.source = short_text(r, "source");
  counter.path = short_text(r, "path");
  counter.readable = r.boolean("readable");
  return counter;
}

std::map<std::string, std::string> read_attributes(JsonReader& r) {
  std::map<std::string, std::string> attributes;
  const Json& object = r.object("attributes");
  if (object.size() > kMaxAttributes) {
    r.fail(invalid_argument_error(
        fmt::format("{}.attributes has {} entries; the limit is {}", r.where(), object.size(), kMaxAttributes)));
    return attributes;
  }
  for (auto it = object.begin(); it != object.end(); ++it) {
    if (!it->is_string() || it.key().size() > kMaxTextBytes || it->get_ref<const std::string&>().size() > kMaxTextBytes) {
      r.fail(invalid_argument_error(fmt::format("{}.attributes must hold short texts only", r.where())));
      return attributes;
    }
    attributes.emplace(it.key(), it->get<std::string>());
  }
  return attributes;
}

Resource read_resource(JsonReader& r) {
  Resource resource;
  const std::string kind = short_text(r, "kind");
  const std::optional<ResourceKind> known = parse_resource_kind(kind);
  if (!known)
    r.fail(invalid_argument_error(
        fmt::format("{}.kind is \"{}\"; it must be cpu, gpu, npu, pim, remote or hybrid", r.where(), kind)));
  resource.kind = known.value_or(ResourceKind::kCpu);
  resource.id = short_text(r, "id");
  resource.index = small(r, "index");
  resource.part = small(r, "part", -1);
  resource.vendor = short_text(r, "vendor");
  resource.name = short_text(r, "name");
  resource.memory_bytes = bytes(r, "memory_bytes");
  resource.pci_address = short_text(r, "pci_address");
  resource.uuid = short_text(r, "uuid");
  resource.driver = short_text(r, "driver");
  resource.tags = short_texts(r, "tags", kMaxAttributes);
  resource.attributes = read_attributes(r);
  resource.cpus = cpu_numbers(r, "cpus");
  resource.simulated = r.boolean("simulated");
  const std::string id = resource_id(resource.kind, resource.index, resource.part);
  if (resource.id != id)
    r.fail(invalid_argument_error(
        fmt::format("{}.id is \"{}\", but its kind, index and part say \"{}\"", r.where(), resource.id, id)));
  return resource;
}

MachineState read_state(const Json& object, const std::string& where, JsonReader& parent) {
  MachineState state;
  JsonReader r(object, where);
  if (r.status().ok()) {
    state.load_1min = non_negative(r, "load_1min");
    state.memory_available_bytes = bytes(r, "memory_available_bytes");
    state.cpu_pressure_some_10s = non_negative(r, "cpu_pressure_some_10s", -1);
    state.steal_percent = non_negative(r, "steal_percent", -1);
    state.governor = short_text(r, "governor");
    state.cpu_khz = r.integers_or_empty("cpu_khz");
    const bool fits = state.cpu_khz.size() <= kMaxCpus && std::all_of(state.cpu_khz.begin(), state.cpu_khz.end(),
                                                                      [](int64_t khz) { return khz >= 0 && khz <= kMaxBytes; });
    if (!fits) r.fail(invalid_argument_error(fmt::format("{}.cpu_khz must hold at most {} frequencies", where, kMaxCpus)));
  }
  if (Status status = r.finish(); !status.ok()) parent.fail(std::move(status));
  return state;
}

Status check_cpus(const Machine& machine) {
  const auto by_id = [](const LogicalCpu& a, const LogicalCpu& b) { return a.id < b.id; };
  for (size_t i = 1; i < machine.cpus.size(); ++i) {
    if (machine.cpus[i].id <= machine.cpus[i - 1].id)
      return invalid_argument_error(fmt::format("machine.cpus[{}].id must be larger than the one before", i));
  }
  for (const int32_t cpu : machine.allowed_cpus) {
    if (!std::binary_search(machine.cpus.begin(), machine.cpus.end(), LogicalCpu{.id = cpu}, by_id)) {
      return invalid_argument_error(fmt::format("machine.allowed_cpus names CPU {}, which machine.cpus lacks", cpu));
    }
  }
  return ok_status();
}

Status check_resources(const Machine& machine) {
  for (size_t i = 0; i < machine.resources.size(); ++i) {
    const Resource& resource = machine.resources[i];
    if (i > 0 && !resource_before(machine.resources[i - 1], resource)) {
      return invalid_argument_error(fmt::format("machine.resources[{}] ({}) must come after {}: the order is kind, index, part",
                                                i, resource.id, machine.resources[i - 1].id));
    }
    for (const int32_t cpu : resource.cpus) {
      if (!std::binary_search(machine.allowed_cpus.begin(), machine.allowed_cpus.end(), cpu)) {
        return invalid_argument_error(
            fmt::format("machine.resources[{}].cpus names CPU {}, which machine.allowed_cpus lacks", i, cpu));
      }
    }
  }
  return ok_status();
}

void read_header(JsonReader& r) {
  const std::string format = r.text("format");
  const int64_t version = r.integer("version");
  if (!r.status().ok()) return;
  if (format != "axle-machine")
    r.fail(invalid_argument_error(fmt::format("machine.format is \"{}\", not \"axle-machine\"", format.substr(0, 64))));
  if (version != 1) r.fail(invalid_argument_error(fmt::format("machine.version is {}; this axle reads version 1", version)));
}

Machine read_machine(JsonReader& r) {
  Machine m;
  read_header(r);
  m.architecture = short_text(r, "architecture");
  m.os = short_text(r, "os");
  m.cpu_vendor = short_text(r, "cpu_vendor");
  m.cpu_model = short_text(r, "cpu_model");
  m.isa = short_texts(r, "isa", kMaxListed);
  m.cpus = read_list<LogicalCpu>(r, "cpus", kMaxCpus, read_cpu);
  m.allowed_cpus = cpu_numbers(r, "allowed_cpus");
  m.cpu_quota = non_negative(r, "cpu_quota");
  m.caches = read_list<CpuCache>(r, "caches", kMaxListed, read_cache);
  m.numa_nodes = read_list<NumaNode>(r, "numa_nodes", kMaxListed, read_numa_node);
  m.memory_bytes = bytes(r, "memory_bytes");
  m.memory_limit_bytes = bytes(r, "memory_limit_bytes");
  m.virtual_machine = r.boolean("virtual_machine");
  m.resources = read_list<Resource>(r, "resources", kMaxResources, read_resource);
  m.power_counters = read_list<PowerCounter>(r, "power_counters", kMaxListed, read_power_counter);
  m.recorded_name = short_text(r, "recorded_name");
  const Json& state = r.object("state");
  if (r.status().ok()) m.state = read_state(state, "machine.state", r);
  return m;
}

}  // namespace

Result<Machine> parse_machine(std::string_view json) {
  AXLE_ASSIGN_OR_RETURN(const Json document, parse_json(json, kMaxRecordBytes, kMaxDepth));
  JsonReader reader(document, "machine");
  AXLE_RETURN_IF_ERROR(reader.status());
  Machine machine = read_machine(reader);
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_RETURN_IF_ERROR(check_cpus(machine));
  AXLE_RETURN_IF_ERROR(check_resources(machine));
  return machine;
}

Result<Machine> load_machine(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxRecordBytes));
  Result<Machine> machine = parse_machine(text);
  if (!machine) {
    Status error = std::move(machine).error().with_context(path);
    return error.hint().empty() ? std::move(error).with_hint("`axle devices --record FILE` writes such a record") : error;
  }
  if (machine->recorded_name.empty()) machine->recorded_name = std::filesystem::path(path).stem().string();
  return machine;
}

Status save_machine(const std::string& path, const Machine& machine) {
  AXLE_ASSIGN_OR_RETURN(std::string text, machine_to_json(machine));
  text += '\n';
  return write_file_atomic(path, text);
}

}  // namespace axle
