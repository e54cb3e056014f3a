// Engines: plugins that run graphs on some resources. What they answer, as plain values, and the registry that finds,
// loads and lists them. Answer types mirror docs/formats/engine-answers.md; a lock embeds them as they were given.
// Values are thread-compatible; EngineRegistry is thread-safe. Plugins are never unloaded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/engine_abi.h"
#include "axle/export.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle {

// ---- describe ----------------------------------------------------------------------------------------------------

struct EngineLibrary {
  std::string path;
  std::string version;              // exactly as the library reports it
  std::string build;
  std::vector<std::string> copies;  // other copies of the same library in this process
  std::vector<std::string> parts;   // other files that the engine is made of
  friend bool operator==(const EngineLibrary&, const EngineLibrary&) = default;
};

// What an engine in a process of its own (axle-worker) is kept from, on this machine.
struct WorkerSafeguard {
  std::string name;       // "system calls refused"
  bool holds = false;
  std::string detail;     // how, or why not
  friend bool operator==(const WorkerSafeguard&, const WorkerSafeguard&) = default;
};

enum class CancelLatency : uint8_t { kRun, kNode, kImmediate };  // end of the run, after a node, within 10 ms

struct EngineInfo {
  std::string name;
  std::string vendor;
  std::string plugin_version;
  std::string description;
  uint32_t abi_version = 0;
  std::optional<EngineLibrary> library;  // absent until the vendor library has been opened
  bool closed = false;                   // the vendor's source is not public
  bool deterministic = false;            // equal inputs, options and threads give equal bytes
  bool honours_cpu_set = false;          // false: isolate it in a process when cores matter
  bool holds_gil = false;
  bool example = false;                  // shows how an engine is made; plans use it only when it is named
  CancelLatency cancel_latency = CancelLatency::kRun;
  std::string install_command;
  std::vector<std::string> search;       // places where the library was looked for
  // What makes its artefacts, by name and version, the same on every architecture: one that was compiled for another machine is found by
  // it there. A version "" = that part is not here, and nothing can be compiled. Empty: artefacts serve only where this very library is.
  std::map<std::string, std::string> toolchain;
  friend bool operator==(const EngineInfo&, const EngineInfo&) = default;
};

// ---- resources ---------------------------------------------------------------------------------------------------

struct EngineResource {
  std::string engine_id;  // the engine's own name for it
  Resource resource;  // resource.id: the machine's id once joined (see join_resources), else engine_id
  friend bool operator==(const EngineResource&, const EngineResource&) = default;
};

// ---- capability --------------------------------------------------------------------------------------------------

struct PrecisionSpec {
  std::string name;  // "f32", "bf16", "f16", "int8", ...
  std::string accumulates;  // "" = not known
  bool native = true;  // false: emulated or converted on this resource
  friend bool operator==(const PrecisionSpec&, const PrecisionSpec&) = default;
};

struct OpSpec {
  std::string domain;  // "" = ai.onnx
  std::string op_type;
  int64_t min_opset = 1;
  int64_t max_opset = 0;  // 0 = no upper bound known
  std::vector<DataType> dtypes;  // empty = not said
  friend bool operator==(const OpSpec&, const OpSpec&) = default;
};

enum class OptionType : uint8_t { kBoolean, kInteger, kNumber, kText, kChoice };

struct OptionSpec {
  std::string name;
  OptionType type = OptionType::kText;
  std::string default_value;
  bool affects_numerics = false;
  bool affects_speed = false;
  bool affects_memory = false;
  std::vector<std::string> choices;  // kChoice
  std::optional<double> minimum, maximum;  // kInteger, kNumber; inclusive
  std::string description;
  friend bool operator==(const OptionSpec&, const OptionSpec&) = default;
};

// INVALID_ARGUMENT naming the option, the value and the domain.
AXLE_API Status check_option(const OptionSpec& option, std::string_view value);

struct Preset {
  std::string name;
  std::map<std::string, std::string> options;
  std::string description;
  friend bool operator==(const Preset&, const Preset&) = default;
};
inline constexpr size_t kMaxPresets = 16;

enum class DynamicShapes : uint8_t { kNo, kBounded, kYes };

struct Capability {
  std::vector<std::string> formats;  // model_format_name's words
  std::vector<PrecisionSpec> precisions;
  std::vector<DataType> dtypes;  // of model inputs and outputs
  bool ops_probed = false;  // ops are not known beforehand: ask support
  std::vector<OpSpec> ops;
  DynamicShapes dynamic_shapes = DynamicShapes::kNo;
  bool needs_compile = false;  // load needs an artefact
  bool can_compile = false;  // the plugin has artefacts (its compile slot is there)
  std::string copy_recipe;  // by whose rules copies of a model in integers are made for it; "" = the common ones
  std::vector<OptionSpec> options;
  std::vector<Preset> presets;  // at most kMaxPresets; "default" is always there
  std::map<std::string, int64_t> limits;  // "threads_max", "rank_max", "tensor_bytes_max", "nodes_max"
  friend bool operator==(const Capability&, const Capability&) = default;
};

// Defaults, then the preset, then `overrides`, each checked: the complete set of options to load with.
// INVALID_ARGUMENT: unknown option (nearest one named) or value outside its domain. NOT_FOUND: no such preset.
AXLE_API Result<std::map<std::string, std::string>> resolve_options(const Capability& capability, std::string_view preset,
                                                                    const std::map<std::string, std::string>& overrides);

// ---- support -----------------------------------------------------------------------------------------------------

enum class VerdictKind : uint8_t { kYes, kNo, kNeedsGroup, kUnknown };  // kUnknown: until compiled

AXLE_API std::string_view verdict_kind_name(VerdictKind kind) noexcept;  // "yes", "no", "needs-group", "unknown"

struct Verdict {
  VerdictKind kind = VerdictKind::kUnknown;
  std::string code;  // UNSUPPORTED_OP DOMAIN OPSET DTYPE RANK SHAPE DYNAMIC_SHAPE ATTRIBUTE PRECISION MEMORY FORMAT
  // RESOURCE OTHER; "" unless kNo or kUnknown
  std::string text;
  int32_t group = -1;  // kNeedsGroup: nodes of one group run together or not at all
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct NodeVerdict {
  uint32_t index = 0;  // into Graph::nodes
  Verdict verdict;
  friend bool operator==(const NodeVerdict&, const NodeVerdict&) = default;
};

struct GraphVerdict {
  Verdict graph;  // as a whole
  Verdict otherwise;  // of every node not listed
  std::vector<NodeVerdict> nodes;  // ascending by index, each at most once
  const Verdict& of_node(uint32_t index) const noexcept;
  friend bool operator==(const GraphVerdict&, const GraphVerdict&) = default;
};

inline const Verdict& GraphVerdict::of_node(uint32_t index) const noexcept {
  const auto found = std::lower_bound(nodes.begin(), nodes.end(), index,
                                      [](const NodeVerdict& node, uint32_t wanted) { return node.index < wanted; });
  return found != nodes.end() && found->index == index ? found->verdict : otherwise;
}

// ---- compile, load, io -------------------------------------------------------------------------------------------

struct ManifestBlob {
  std::string name;
  std::string path;  // relative to the scratch folder of the compile call; no "..", not absolute
  friend bool operator==(const ManifestBlob&, const ManifestBlob&) = default;
};

struct ArtefactManifest {
  std::string format;
  bool self_contained = false;  // load needs no graph beside it
  std::vector<ManifestBlob> blobs;
  std::map<std::string, std::string> compatibility;  // what must be equal when it is loaded again
  friend bool operator==(const ArtefactManifest&, const ArtefactManifest&) = default;
};

struct NodeKernel {
  std::string node, kernel, precision, resource;
  friend bool operator==(const NodeKernel&, const NodeKernel&) = default;
};

struct EngineFallback {
  std::string node, from, to, reason;
  friend bool operator==(const EngineFallback&, const EngineFallback&) = default;
};

// What is really in force after load.
struct EffectiveValues {
  std::string precision;  // "f32", "mixed", "unknown"
  bool precision_read_back = false;  // false: only what was asked for
  int32_t threads = 0;  // 0 = unknown
  bool spin = false;
  bool cpu_set_honoured = false;
  std::vector<int32_t> cpu_set;
  std::map<std::string, std::string> options;
  std::vector<NodeKernel> kernels;
  std::vector<EngineFallback> fallbacks;
  std::string json;  // the answer as given
  friend bool operator==(const EffectiveValues&, const EffectiveValues&) = default;
};

enum class OutputMode : uint8_t { kCaller, kEngine, kEither };  // who provides an output's memory

struct EngineIo {
  std::vector<IoSpec> inputs;  // in bind order
  std::vector<IoSpec> outputs;
  std::vector<OutputMode> output_modes;  // one per output
  std::vector<bool> exact_outputs;  // one per output: the engine fails a run whose result has another shape than what is bound
  friend bool operator==(const EngineIo&, const EngineIo&) = default;
};

// ---- registry ----------------------------------------------------------------------------------------------------

// One known engine, usable or not.
struct EngineState {
  std::string name;
  std::string plugin_path;  // "" = registered in-process
  std::string description_path;  // the engine description that it is made of; "" = it is a plugin
  bool present = false;  // created: its library is open
  bool opened = false;  // an attempt was made; until then present says nothing
  StatusCode reason_code = StatusCode::kOk;  // why it is absent
  std::string reason;
  std::string install_command;
  EngineInfo info;  // with library when present
  std::string library_digest;  // "sha256:..." over plugin and library content; "" when absent
  std::string plugin_file_digest;  // of the plugin's file alone, with its description; "" = in-process, or absent
  std::string library_file_digest;  // of the vendor's library with what belongs to it; "" = it has none, or absent
  std::vector<EngineResource> resources;
  std::map<std::string, Capability> capabilities;  // by resource.id of `resources`
  std::vector<std::string> notes;  // several copies in the process, shadowed plugins
};

class Engine;  // internal: src/engine/engine.h

struct EngineRegistryOptions {
  std::vector<std::string> plugin_folders;  // searched first; then AXLE_ENGINE_PATH, then the installed or build-tree folder
  // Engine descriptions (docs/formats/engine-description.md), files or folders; then those of AXLE_ENGINE_DESCRIPTIONS, of the
  // user's and of the installed folder.
  std::vector<std::string> descriptions;
  bool default_folders = true;  // false: plugin_folders and descriptions only (tests)
  std::vector<std::string> only;  // names; empty = all
  std::map<std::string, std::string> libraries;  // engine -> explicit vendor library; also AXLE_<NAME>_LIBRARY
  std::map<std::string, std::map<std::string, std::string>> engine_options;  // engine-wide settings for create
  std::string scratch_folder;  // "" = a private temporary folder
  std::string digest_memo;  // file that remembers library digests by file stamp; "" = hash at each start
  std::map<std::string, axle_engine_query_t> in_process;  // engines of this registry only, by name
};

class AXLE_API EngineRegistry {
 public:
  // Looks for plugin files; opens none. Never fails for a missing folder.
  static Result<std::shared_ptr<EngineRegistry>> create(EngineRegistryOptions options = {});
  ~EngineRegistry();
  EngineRegistry(const EngineRegistry&) = delete;
  EngineRegistry& operator=(const EngineRegistry&) = delete;

  // Sorted; nothing is opened for it.
  std::vector<std::string> names() const;
  // The engine, opened on first use. NOT_FOUND: no such plugin (the known ones named); UNAVAILABLE: its library is
  // missing, too old or broken (remembered; the hint is the install command); FAILED_PRECONDITION after fork().
  Result<std::shared_ptr<Engine>> open(std::string_view name);
  // State of one engine; opens it. NOT_FOUND only for an unknown name.
  Result<EngineState> state(std::string_view name);
  // The same without opening it: until it was opened, only its name and plugin_path. NOT_FOUND as above.
  Result<EngineState> peek(std::string_view name) const;
  // States of all, each opened; sorted by name.
  std::vector<EngineState> states();
  // Plugins that could not even be read, one sentence each.
  std::vector<std::string> problems() const;
  // Maps what engines report onto the resources of `machine`; also for engines opened later. Once per registry.
  void bind_machine(const Machine& machine);

  struct Impl;

 private:
  explicit EngineRegistry(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// Adds an in-process engine to every registry made later, and to those that exist. `name` must equal the one it describes.
// ALREADY_EXISTS for a taken name. The function must stay valid for the life of the process.
AXLE_API Status register_engine(axle_engine_query_t query, std::string_view name);

// The machine's resource id for each engine resource, joined by PCI address or UUID; a CPU resource joins the machine's only
// CPU resource. What joins nothing keeps the engine's own id.
AXLE_API void join_resources(const Machine& machine, std::vector<EngineResource>& resources);

}  // namespace axle
