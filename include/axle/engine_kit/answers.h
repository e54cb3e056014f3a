// What a plugin answers, as plain structs with the serialisers of docs/formats/engine-answers.md. Fill in, return; the kit writes
// the document.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "axle/engine_kit/json_writer.h"
#include "axle/engine_kit/tensor.h"

namespace axle::kit {

struct Library {
  std::string path;
  std::string version;  // exactly as the library reports it
  std::string build;  // its build information text, may be empty
  std::vector<std::string> copies;  // other copies of the same library that are mapped into this process
  std::vector<std::string> parts;  // other files the engine is made of, wherever they lie: the host takes their digests
};

// When a cancelled run gives its buffers back.
enum class CancelLatency { kRun, kNode, kImmediate };  // at the end of the run, after the current node, within 10 ms

struct EngineInfo {
  std::string name;  // [a-z][a-z0-9_]*, at most 32
  std::string vendor;
  std::string plugin_version;
  std::string description;
  bool opened = false;  // library is filled in
  Library library;
  bool closed = false;  // the vendor's source is not public
  bool deterministic = false;  // equal inputs give equal bytes at fixed options and threads
  bool honours_cpu_set = false;  // else the host isolates it in a process of its own
  bool holds_gil = false;  // runs Python code
  bool example = false;  // shows how it is done; plans use it only when it is named
  CancelLatency cancel_latency = CancelLatency::kRun;
  std::string install_command;  // "pip install onnxruntime==1.31.1"
  std::vector<std::string> search;  // places where the library was looked for, in order
  // Name and version of what makes artefacts, the same on every architecture: those for another machine are found by it there, and load must
  // refuse the ones that do not fit. "" = that part is not here, so that nothing can be compiled. Empty: they serve only where they were made.
  std::map<std::string, std::string> toolchain;
};

struct ResourceInfo {
  std::string id;  // comes back verbatim as `resource` of later verbs: "cpu:0", "GPU.1"
  std::string kind = "cpu";  // cpu gpu npu pim remote hybrid
  std::string vendor;
  std::string name;
  std::string pci_address;  // "0000:c4:00.0"; with uuid, the only thing that joins it with what the host discovered
  std::string uuid;
  uint64_t memory_bytes = 0;
  bool simulated = false;
  std::map<std::string, std::string> attributes;
};

struct Precision {
  std::string name;  // "f32", "bf16", "f16", "int8", ...
  std::string accumulates;  // "f32"; empty = not known
  bool native = true;  // false: emulated or up-converted on this resource
};

struct OpSupport {
  std::string domain;  // "" = ai.onnx
  std::string op_type;
  int64_t min_opset = 1;
  int64_t max_opset = 0;  // 0 = no upper bound known
  std::vector<std::string> dtypes;  // empty = not said
};

enum class OptionType { kBoolean, kInteger, kNumber, kText, kChoice };

struct Option {
  std::string name;
  OptionType type = OptionType::kText;
  std::string default_value;
  bool affects_numerics = false;
  bool affects_speed = false;
  bool affects_memory = false;
  std::vector<std::string> choices;  // kChoice
  std::optional<double> minimum, maximum;  // kInteger, kNumber; inclusive
  std::string description;
};

struct Preset {
  std::string name;
  std::map<std::string, std::string> options;
  std::string description;
};

enum class DynamicShapes { kNo, kBounded, kYes };

struct Capability {
  std::vector<std::string> formats;  // "onnx", "openvino-ir", ...
  std::vector<Precision> precisions;
  std::vector<std::string> dtypes;  // element types that may cross the boundary: "f32", "i64", ...
  bool ops_probed = false;  // ops unknown beforehand: ask support
  std::vector<OpSupport> ops;
  DynamicShapes dynamic_shapes = DynamicShapes::kNo;
  bool needs_compile = false;  // load needs an artefact
  std::string copy_recipe;  // of the converter's recipes for integer copies, the one this needs: "qnn"; "" = the common one
  std::vector<Option> options;
  std::vector<Preset> presets;  // at most 16
  std::map<std::string, int64_t> limits;  // "threads_max", "rank_max", "tensor_bytes_max", "nodes_max"
};

enum class VerdictKind { kYes, kNo, kNeedsGroup, kUnknown };

struct Verdict {
  VerdictKind kind = VerdictKind::kUnknown;
  std::string code;  // kNo: UNSUPPORTED_OP DOMAIN OPSET DTYPE RANK SHAPE DYNAMIC_SHAPE ATTRIBUTE PRECISION MEMORY FORMAT
  // RESOURCE OTHER
  std::string text;  // for a person
  int32_t group = -1;  // kNeedsGroup: nodes of one group run together or not at all
};

struct NodeVerdict {
  uint32_t index = 0;
  Verdict verdict;
};

struct Support {
  Verdict graph;  // as a whole
  Verdict otherwise;  // every node not listed
  std::vector<NodeVerdict> nodes;
};

struct ManifestBlob {
  std::string name;
  std::string path;  // relative to the scratch folder of the compile call
};

struct Manifest {
  std::string format;  // "ort-optimised-onnx", "openvino-blob"
  bool self_contained = false;  // load needs no graph beside it
  std::vector<ManifestBlob> blobs;
  std::map<std::string, std::string> compatibility;  // what a later load compares: library build, ISA, driver
};

struct NodeKernel {
  std::string node, kernel, precision, resource;
};

struct Fallback {
  std::string node, from, to, reason;
};

// What is really in force after load. Read back from the library wherever it can be.
struct Effective {
  std::string precision;  // "f32", "mixed", "unknown"
  bool precision_read_back = false;  // false: only what was asked for
  int32_t threads = 0;  // 0 = unknown
  bool spin = false;
  bool cpu_set_honoured = false;
  std::vector<int32_t> cpu_set;
  std::map<std::string, std::string> options;
  std::vector<NodeKernel> kernels;  // when the library tells
  std::vector<Fallback> fallbacks;  // nodes that run elsewhere than asked
};

struct Io {
  std::vector<IoSpec> inputs;
  std::vector<IoSpec> outputs;
};

using Counters = std::map<std::string, double>;

// ---- serialisers -------------------------------------------------------------------------------------------------

inline const char* name_of(CancelLatency value) {
  return value == CancelLatency::kRun ? "run" : value == CancelLatency::kNode ? "node" : "immediate";
}
inline const char* name_of(DynamicShapes value) {
  return value == DynamicShapes::kNo ? "no" : value == DynamicShapes::kBounded ? "bounded" : "yes";
}
inline const char* name_of(OutputMode value) {
  return value == OutputMode::kCaller ? "caller" : value == OutputMode::kEngine ? "engine" : "either";
}
inline const char* name_of(VerdictKind value) {
  switch (value) {
    case VerdictKind::kYes: return "yes";
    case VerdictKind::kNo: return "no";
    case VerdictKind::kNeedsGroup: return "needs-group";
    case VerdictKind::kUnknown: break;
  }
  return "unknown";
}
inline const char* name_of(OptionType value) {
  switch (value) {
    case OptionType::kBoolean: return "boolean";
    case OptionType::kInteger: return "integer";
    case OptionType::kNumber: return "number";
    case OptionType::kChoice: return "choice";
    case OptionType::kText: break;
  }
  return "text";
}

inline std::string to_json(const EngineInfo& info) {
  JsonWriter out;
  out.begin_object().member("abi", AXLE_ENGINE_ABI_VERSION).member("name", info.name).member("vendor", info.vendor);
  out.member("plugin_version", info.plugin_version).member("description", info.description).member("closed", info.closed);
  out.member("deterministic", info.deterministic).member("honours_cpu_set", info.honours_cpu_set);
  if (info.example) out.member("example", true);
  out.member("holds_gil", info.holds_gil).member("cancel_latency", name_of(info.cancel_latency));
  out.member("install_command", info.install_command).member("search", info.search);
  if (!info.toolchain.empty()) out.member("toolchain", info.toolchain);
  if (info.opened) {
    out.key("library").begin_object().member("path", info.library.path).member("version", info.library.version);
    out.member("build", info.library.build).member("copies", info.library.copies);
    if (!info.library.parts.empty()) out.member("parts", info.library.parts);
    out.end_object();
  }
  return out.end_object().take();
}

inline std::string to_json(const std::vector<ResourceInfo>& resources) {
  JsonWriter out;
  out.begin_object().key("resources").begin_array();
  for (const ResourceInfo& r : resources) {
    out.begin_object().member("id", r.id).member("kind", r.kind).member("vendor", r.vendor).member("name", r.name);
    out.member("pci_address", r.pci_address).member("uuid", r.uuid).member("memory_bytes", r.memory_bytes);
    out.member("simulated", r.simulated).member("attributes", r.attributes).end_object();
  }
  return out.end_array().end_object().take();
}

inline void write(JsonWriter& out, const Option& option) {
  out.begin_object().member("name", option.name).member("type", name_of(option.type)).member("default", option.default_value);
  out.key("affects").begin_array();
  if (option.affects_numerics) out.value("numerics");
  if (option.affects_speed) out.value("speed");
  if (option.affects_memory) out.value("memory");
  out.end_array();
  if (option.type == OptionType::kChoice) out.member("choices", option.choices);
  if (option.minimum) out.member("minimum", *option.minimum);
  if (option.maximum) out.member("maximum", *option.maximum);
  out.member("description", option.description).end_object();
}

inline std::string to_json(const Capability& capability) {
  JsonWriter out;
  out.begin_object().member("formats", capability.formats).key("precisions").begin_array();
  for (const Precision& p : capability.precisions) {
    out.begin_object().member("name", p.name).member("accumulates", p.accumulates).member("native", p.native).end_object();
  }
  out.end_array().member("dtypes", capability.dtypes).key("ops");
  if (capability.ops_probed) {
    out.value("probed");
  } else {
    out.begin_array();
    for (const OpSupport& op : capability.ops) {
      out.begin_object().member("domain", op.domain).member("op", op.op_type).member("min_opset", op.min_opset);
      out.member("max_opset", op.max_opset).member("dtypes", op.dtypes).end_object();
    }
    out.end_array();
  }
  out.member("dynamic_shapes", name_of(capability.dynamic_shapes)).member("needs_compile", capability.needs_compile);
  if (!capability.copy_recipe.empty()) out.member("copy_recipe", capability.copy_recipe);
  out.key("options").begin_array();
  for (const Option& option : capability.options) write(out, option);
  out.end_array().key("presets").begin_array();
  for (const Preset& preset : capability.presets) {
    out.begin_object().member("name", preset.name).member("options", preset.options);
    out.member("description", preset.description).end_object();
  }
  return out.end_array().member("limits", capability.limits).end_object().take();
}

inline void write(JsonWriter& out, const Verdict& verdict) {
  out.member("verdict", name_of(verdict.kind)).member("code", verdict.code).member("text", verdict.text);
  if (verdict.kind == VerdictKind::kNeedsGroup) out.member("group", verdict.group);
}

inline std::string to_json(const Support& support) {
  JsonWriter out;
  out.begin_object().key("graph").begin_object();
  write(out, support.graph);
  out.end_object().key("default").begin_object();
  write(out, support.otherwise);
  out.end_object().key("nodes").begin_array();
  for (const NodeVerdict& node : support.nodes) {
    out.begin_object().member("index", node.index);
    write(out, node.verdict);
    out.end_object();
  }
  return out.end_array().end_object().take();
}

inline std::string to_json(const Manifest& manifest) {
  JsonWriter out;
  out.begin_object().member("format", manifest.format).member("self_contained", manifest.self_contained);
  out.key("blobs").begin_array();
  for (const ManifestBlob& blob : manifest.blobs) {
    out.begin_object().member("name", blob.name).member("path", blob.path).end_object();
  }
  return out.end_array().member("compatibility", manifest.compatibility).end_object().take();
}

inline std::string to_json(const Effective& effective) {
  JsonWriter out;
  out.begin_object().member("precision", effective.precision).member("precision_read_back", effective.precision_read_back);
  out.member("threads", effective.threads).member("spin", effective.spin);
  out.member("cpu_set_honoured", effective.cpu_set_honoured).member("cpu_set", effective.cpu_set);
  out.member("options", effective.options).key("kernels").begin_array();
  for (const NodeKernel& k : effective.kernels) {
    out.begin_object().member("node", k.node).member("kernel", k.kernel).member("precision", k.precision);
    out.member("resource", k.resource).end_object();
  }
  out.end_array().key("fallbacks").begin_array();
  for (const Fallback& f : effective.fallbacks) {
    out.begin_object().member("node", f.node).member("from", f.from).member("to", f.to).member("reason", f.reason).end_object();
  }
  return out.end_array().end_object().take();
}

inline void write(JsonWriter& out, const IoSpec& spec, bool output) {
  out.begin_object().member("name", spec.name).member("dtype", data_type_name(spec.dtype)).key("shape");
  if (spec.rank_known) {
    out.begin_array();
    for (const Dim& dim : spec.shape) {
      if (dim.size >= 0) {
        out.value(dim.size);
      } else if (!dim.symbol.empty()) {
        out.value(dim.symbol);
      } else {
        out.null();
      }
    }
    out.end_array();
  } else {
    out.null();
  }
  if (output) {
    out.member("mode", name_of(spec.mode));
    if (spec.exact) out.member("exact", true);
  } else {
    out.member("optional", spec.optional);
  }
  out.end_object();
}

inline std::string to_json(const Io& io) {
  JsonWriter out;
  out.begin_object().key("inputs").begin_array();
  for (const IoSpec& spec : io.inputs) write(out, spec, false);
  out.end_array().key("outputs").begin_array();
  for (const IoSpec& spec : io.outputs) write(out, spec, true);
  return out.end_array().end_object().take();
}

inline std::string to_json(const Counters& counters) {
  JsonWriter out;
  return out.value(counters).take();
}

}  // namespace axle::kit
