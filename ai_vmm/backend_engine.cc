#include "backend_engine.h"

#include <dlfcn.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <utility>

#include "axle/model.h"
#include "backend_graph.h"
#include "backend_run.h"

namespace ai_vmm {
namespace {

namespace kit = axle::kit;

constexpr const char* kPrecisionFallback = "f32";

// ---- categories

struct Categories {
  std::mutex mutex;
  std::map<std::string, ModelCategory> by_digest;
};

Categories& categories() {
  static Categories* const all = new Categories;  // engines may outlive static destructors
  return *all;
}

// ---- answering

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// The file that holds the backend's code: measurements and remembered answers hold only as long as it does not change.
std::string file_of(const ComputeBackend& backend) {
  const void* table = *reinterpret_cast<const void* const*>(&backend);
  Dl_info info{};
  if (::dladdr(table, &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code error;
  const std::filesystem::path named(info.dli_fname);
  const auto path = std::filesystem::canonical(named.is_absolute() ? named : std::filesystem::path("/proc/self/exe"), error);
  return error ? "" : path.string();
}

// A backend's threads are its own affair, but none leaves the CPUs that this process may use.
bool stays_on(std::span<const int32_t> cpus) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed) && std::find(cpus.begin(), cpus.end(), cpu) == cpus.end()) return false;
  }
  return true;
}

kit::Verdict no(std::string code, std::string text) { return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1}; }

// A simulated device must not take the id of a real one.
std::string id_of(const HardwareCapabilities& has) {
  return lower(hardware_type_name(has.type)) + (has.simulated ? ":9" : ":0");
}

class BackendEngine : public kit::Engine {
 public:
  explicit BackendEngine(const Registered& owner) : owner_(owner) {}

  static kit::EngineInfo facts_of(const Registered& owner) {
    kit::EngineInfo info;
    info.name = owner.name;
    info.vendor = owner.capabilities.vendor;
    info.plugin_version = "ai_vmm";
    info.description = "a ComputeBackend of this program: " + owner.capabilities.name;
    info.install_command = "nothing to install";
    return info;
  }

  kit::EngineInfo describe() override {
    kit::EngineInfo info = facts_of(owner_);
    info.opened = true;
    info.library.path = file_of(*owner_.backend);
    info.library.version = owner_.capabilities.version;
    return info;
  }

  std::vector<kit::ResourceInfo> resources() override {
    const HardwareCapabilities& has = owner_.capabilities;
    kit::ResourceInfo resource;
    resource.id = resource_id();
    resource.kind = lower(hardware_type_name(has.type));
    resource.vendor = lower(has.vendor);
    resource.name = has.name;
    resource.memory_bytes = has.memory_bytes;
    resource.pci_address = has.pci_address;
    resource.uuid = has.uuid;
    resource.simulated = has.simulated;
    return {resource};
  }

  kit::Capability capability(std::string_view resource) override {
    check_resource(resource);
    kit::Capability capability;
    capability.formats = owner_.capabilities.formats;
    for (const std::string& name : owner_.capabilities.precisions) capability.precisions.push_back({name, "", true});
    if (capability.precisions.empty()) capability.precisions.push_back({kPrecisionFallback, "", true});
    capability.ops_probed = true;
    capability.dynamic_shapes = owner_.capabilities.dynamic_shapes ? kit::DynamicShapes::kYes : kit::DynamicShapes::kNo;
    capability.presets = {{"default", {}, ""}};
    capability.limits = {{"threads_max", 1}};  // its own threads are its own affair
    return capability;
  }

  kit::Support support(const kit::SupportArgs& args) override {
    check_resource(args.resource);
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    for (const kit::Node& node : args.graph.nodes()) {
      const std::string why = speaking_for(owner_, "refusal", [&] { return owner_.backend->refusal(node_of(node)); });
      if (!why.empty()) support.nodes.push_back({node.index(), no("UNSUPPORTED_OP", why)});
    }
    if (!support.nodes.empty()) support.graph = support.nodes.front().verdict;
    if (auto whole = refusal_of(args.graph)) support.graph = *whole;
    return support;
  }

  kit::Loaded load(const kit::LoadArgs& args) override {
    check_resource(args.resource);
    if (!args.graph) throw kit::failed_precondition("a ComputeBackend compiles from the graph, and none was given");
    args.cancel.check();
    const std::shared_ptr<Model> compiled = speaking_for(owner_, "compile", [&] {
      const ModelGraph graph = graph_of(*args.graph, true);
      return owner_.backend->compile(graph);
    });
    if (!compiled) throw kit::unimplemented("backend " + owner_.name + " compiled nothing from this model");
    kit::Io io;
    for (uint32_t i = 0; i < args.graph->input_count(); ++i) io.inputs.push_back(kit::to_io_spec(args.graph->input(i)));
    for (uint32_t i = 0; i < args.graph->output_count(); ++i) io.outputs.push_back(kit::to_io_spec(args.graph->output(i)));
    kit::Loaded loaded;
    loaded.effective.precision = args.precision;  // what was asked for: a ComputeBackend cannot be read back
    loaded.effective.threads = 0;
    loaded.effective.cpu_set_honoured = stays_on(args.cpu_set);
    loaded.effective.cpu_set.assign(args.cpu_set.begin(), args.cpu_set.end());
    loaded.executable = make_backend_executable(owner_, *compiled, std::move(io));
    return loaded;
  }

 private:
  std::string resource_id() const { return id_of(owner_.capabilities); }

  void check_resource(std::string_view resource) const {
    if (resource != resource_id()) {
      throw kit::Error(AXLE_NOT_FOUND, "backend " + owner_.name + " has no resource '" + std::string(resource) + "'");
    }
  }

  std::optional<kit::Verdict> refusal_of(const kit::Graph& graph) const {
    if (!owner_.capabilities.multiple_tensors && (graph.input_count() != 1 || graph.output_count() != 1)) {
      return no("OTHER", "execute() takes one tensor and gives one; the model has " + std::to_string(graph.input_count()) +
                             " inputs and " + std::to_string(graph.output_count()) + " outputs (override execute_all)");
    }
    const ModelCategory category = category_of_graph(std::string(graph.digest()), std::string(graph.path()));
    const double score =
        speaking_for(owner_, "get_performance_score", [&] { return owner_.backend->get_performance_score(category); });
    if (score > 0) return std::nullopt;
    return no("OTHER", std::string("its performance score for ") + model_category_name(category) + " is not above 0");
  }

  const Registered& owner_;
};

// ---- slots: the ABI's query takes no user data, so each backend has a class of its own

constexpr int kSlots = 16;

struct Slots {
  std::mutex mutex;
  std::array<std::atomic<const Registered*>, kSlots> taken{};
};

Slots& slots() {
  static Slots* const all = new Slots;
  return *all;
}

template <int Slot>
class SlotEngine final : public BackendEngine {
 public:
  using BackendEngine::BackendEngine;
  static const Registered& owner() { return *slots().taken[Slot].load(); }
  static kit::EngineInfo facts() { return facts_of(owner()); }
  static std::unique_ptr<kit::Engine> create(kit::Host, const kit::CreateArgs&) {
    return std::make_unique<SlotEngine>(owner());
  }
};

template <int... Slot>
constexpr std::array<axle_engine_query_t, kSlots> make_queries(std::integer_sequence<int, Slot...>) {
  return {&kit::query<SlotEngine<Slot>>...};
}
constexpr auto kQueries = make_queries(std::make_integer_sequence<int, kSlots>());

// A device that nothing joins with this machine would never be planned for, and nobody would say why.
axle::Status check_device(const Registered& owner, const axle::Machine& machine) {
  const HardwareCapabilities& has = owner.capabilities;
  if (has.simulated || has.type == HardwareType::CPU) return axle::ok_status();
  for (const axle::Resource& resource : machine.resources) {
    const bool same_pci = !has.pci_address.empty() && lower(has.pci_address) == lower(resource.pci_address);
    const bool same_uuid = !has.uuid.empty() && lower(has.uuid) == lower(resource.uuid);
    if (same_pci || same_uuid) return axle::ok_status();
  }
  return axle::failed_precondition_error(
             "backend " + owner.name + ": its " + hardware_type_name(has.type) + " is none of this machine's: " +
             (has.pci_address.empty() && has.uuid.empty()
                  ? "get_capabilities gives neither pci_address nor uuid"
                  : "nothing here has PCI address '" + has.pci_address + "' or UUID '" + has.uuid + "'"))
      .with_hint("`axle devices` shows what is here; mark a device that does not exist as simulated");
}

axle::Status open_backend(Registered& made) {
  try {
    if (!made.backend->initialize()) {
      return axle::failed_precondition_error("backend " + made.name + ": initialize() said that it cannot be used");
    }
    made.capabilities = made.backend->get_capabilities();
    return axle::ok_status();
  } catch (const Error& error) {
    return error.status();
  } catch (const std::exception& error) {
    return axle::unavailable_error("backend " + made.name + ", initialize: " + error.what());
  }
}

}  // namespace

void note_category(const std::string& digest, ModelCategory category) {
  Categories& all = categories();
  const std::lock_guard lock(all.mutex);
  all.by_digest[digest] = category;
}

ModelCategory category_of_graph(const std::string& digest, const std::string& path) {
  {
    Categories& all = categories();
    const std::lock_guard lock(all.mutex);
    if (const auto found = all.by_digest.find(digest); found != all.by_digest.end()) return found->second;
  }
  // The model came in through another front door.
  ModelCategory category = ModelCategory::OTHER;
  if (const auto model = axle::Model::load(path); !path.empty() && model) {
    if (const auto summary = model->summary()) category = parse_model_category(summary->category);
  }
  note_category(digest, category);
  return category;
}

axle::Status register_backend_engine(std::shared_ptr<ComputeBackend> backend, const std::string& name,
                                     const axle::Machine& machine) {
  if (!backend) return axle::invalid_argument_error("register_backend: there is no backend");
  auto made = std::make_unique<Registered>(Registered{std::move(backend), name, {}});
  AXLE_RETURN_IF_ERROR(open_backend(*made));
  AXLE_RETURN_IF_ERROR(check_device(*made, machine));
  Slots& all = slots();
  const std::lock_guard lock(all.mutex);
  for (int slot = 0; slot < kSlots; ++slot) {
    auto& place = all.taken[static_cast<size_t>(slot)];
    if (place.load() != nullptr) continue;
    place.store(made.get());
    const axle::Status status = axle::register_engine(kQueries[static_cast<size_t>(slot)], name);
    if (status.ok()) {
      (void)made.release();  // for the life of the process
    } else {
      place.store(nullptr);
    }
    return status;
  }
  return axle::resource_exhausted_error("a process can register at most 16 backends");
}

std::vector<std::string> simulated_devices() {
  std::vector<std::string> ids;
  for (const auto& place : slots().taken) {
    const Registered* const owner = place.load();
    if (owner != nullptr && owner->capabilities.simulated) ids.push_back(id_of(owner->capabilities));
  }
  return ids;
}

}  // namespace ai_vmm
