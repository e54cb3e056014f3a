// PlannerInput: every recorded fact a plan is made from, and nothing else. The planner reads only this, so equal rows give
// equal bytes on every machine, and a lock embeds exactly this. Values; JSON forms in spec/planner_input_json.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/device_profile.h"
#include "axle/engine.h"
#include "axle/evidence.h"
#include "axle/plan.h"
#include "axle/policy.h"
#include "axle/tensor.h"

namespace axle {

// One node of the graph view, in graph order: index i is what NodeVerdict::index refers to.
struct NodeFacts {
  std::string name;
  std::string op_type;
  std::string domain;            // "" = ai.onnx
  uint64_t flops = 0;
  uint64_t weight_bytes = 0;
  uint64_t activation_bytes = 0; // inputs + outputs that are not weights
  friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

// One file of the model: says which one changed, when the digest does.
struct ModelFileFacts {
  std::string role;    // as in ModelFile: "-" = the model file itself
  uint64_t size_bytes = 0;
  std::string sha256;  // 64 hex digits
  friend bool operator==(const ModelFileFacts&, const ModelFileFacts&) = default;
};

// A tensor that nodes hand to each other or to the caller; weights are none. Where a graph may be cut.
struct TensorFacts {
  std::string name;
  std::string type;  // "f32[batch,64]", "f32[...]" = rank not known; "" = no tensor, or its type is not known: never cut
  uint64_t bytes = 0;  // at PlannerInput::shapes; unknown axes count as 1
  int32_t producer = -1;  // node; -1 = an input of the model
  std::vector<int32_t> consumers;  // nodes, ascending, each once; a node whose subgraphs use it counts
  friend bool operator==(const TensorFacts&, const TensorFacts&) = default;
};

// A weight that several nodes read: parts that share it hold it twice.
struct SharedWeightFacts {
  uint64_t bytes = 0;
  std::vector<int32_t> nodes;  // ascending, at least two
  friend bool operator==(const SharedWeightFacts&, const SharedWeightFacts&) = default;
};

struct ModelFacts {
  std::string digest;
  std::string format;  // model_format_name's words
  std::string category;  // "VISION_CNN", ..., "OTHER"
  std::map<std::string, int64_t> opsets;
  std::vector<IoSpec> inputs, outputs;
  std::vector<NodeFacts> nodes;  // in a topological order; empty for formats that are handed whole to an engine
  std::vector<TensorFacts> tensors;  // between those nodes, the inputs first, then by producer
  std::vector<SharedWeightFacts> shared_weights;
  uint64_t flops = 0;  // of one run at PlannerInput::shapes
  uint64_t weight_bytes = 0;
  uint64_t activation_bytes = 0;
  bool cost_exact = false;  // every shape was known
  std::vector<std::string> dynamic_axes;  // that PlannerInput::shapes does not fix do not count: all that the file leaves open
  bool quantised = false;  // holds QuantizeLinear / DequantizeLinear or integer matmuls
  std::string float_dtype;  // the model's own arithmetic: "f32", "f16", "bf16", "f64"; "" = none, f8 only stores
  std::vector<ModelFileFacts> files;  // empty when it was made from bytes
  friend bool operator==(const ModelFacts&, const ModelFacts&) = default;
};

struct CapabilityFacts {
  std::string resource;  // id in Machine::resources (whole resource; its parts inherit)
  std::string engine_id;  // the engine's own name for it, for the runtime
  bool simulated = false;
  Capability capability;
  bool assumed = false;  // no engine said so: the profile of the resource does. Only where a plan is a what-if
  bool compile_only = false;  // it compiles and estimates there, and runs nothing
  friend bool operator==(const CapabilityFacts&, const CapabilityFacts&) = default;
};

struct EngineFacts {
  EngineInfo info;
  bool present = false;
  std::string absent_reason;  // when not present
  std::string library_version;
  std::string library_digest;  // plugin and library; as in EvidenceKey
  std::string plugin_file_digest;  // of the plugin's file alone; "" = in this process, or not known
  std::string library_file_digest;  // of the vendor's library with what belongs to it; "" = it has none, or not known
  std::vector<CapabilityFacts> capabilities;
  friend bool operator==(const EngineFacts&, const EngineFacts&) = default;
};

// An engine's answer for the whole graph on one resource at one precision.
struct VerdictRow {
  std::string engine;
  std::string resource;  // machine's id, never a part
  std::string precision;
  GraphVerdict verdict;
  friend bool operator==(const VerdictRow&, const VerdictRow&) = default;
};

// A variant of the model that the policy asks for: prepared, or with the reason why it is not there.
struct VariantFacts {
  Variant variant;  // digest "" = not prepared
  std::string precision;  // that it is computed in
  std::string code;  // why it is not there: "NOT_PREPARED", "NO_CONVERTER", "CONVERSION"; "" = it is
  std::string reason;
  std::string note;  // what a user should know of how it was made; "" = nothing
  bool prepared() const { return code.empty(); }
  friend bool operator==(const VariantFacts&, const VariantFacts&) = default;
};

// An engine's answer for the graph of a variant, at the variant's precision. Its nodes are not the model's: those refused are
// told by name.
struct VariantVerdict {
  std::string engine;
  std::string resource;  // machine's id, never a part
  std::string variant;  // Variant::name()
  bool taken = false;  // also where only loading can tell
  std::string code, text;  // of a refusal
  std::vector<NodeReason> nodes;  // the first of those that are refused
  friend bool operator==(const VariantVerdict&, const VariantVerdict&) = default;
};

// The graph of a prepared variant with the engines' answers, where parts of it may have to run in several places.
struct VariantGraph {
  std::string variant;  // Variant::name()
  ModelFacts model;  // the variant's; its digest too
  std::vector<VerdictRow> verdicts;  // at the variant's precision
  friend bool operator==(const VariantGraph&, const VariantGraph&) = default;
};

// What to type where code is NO_CONVERTER.
inline constexpr const char* kInstallConverter = "pip install onnxruntime onnx";

// How far estimates were off where something was measured: the efficiency of an engine on a kind of resource.
struct EstimateRatio {
  std::string model_digest;
  std::string engine;
  ResourceKind resource_kind = ResourceKind::kCpu;
  std::string precision;
  int64_t permille = 1000;  // median of measured over estimated time, of this model's candidates
  int32_t candidates = 0;  // behind that median
  friend bool operator==(const EstimateRatio&, const EstimateRatio&) = default;
};

struct PlannerInput {
  ModelFacts model;
  Machine machine;
  std::vector<EngineFacts> engines;
  std::vector<VerdictRow> verdicts;
  std::vector<VariantFacts> variants;  // that the policy asks for
  std::vector<VariantVerdict> variant_verdicts;  // of those that are prepared
  std::vector<VariantGraph> variant_graphs;  // of those that a mixed plan may be cut from
  std::vector<ResourceProfile> profiles;  // of the machine's resources, where there is one
  std::vector<EstimateRatio> estimate_ratios;  // of this model and of others, measured on the machine that plans
  bool what_if = false;  // planned for another machine than the one that plans
  std::vector<EvidenceRow> evidence;  // rows of this model; others are ignored
  Policy policy;  // effective: file, then flags
  std::string shapes;  // judged shapes, EvidenceKey::shapes form
  std::map<std::string, int64_t> sample_axes;  // open axis -> its size in the samples that the caller gave
  std::string samples_digest;  // of the samples the policy names or the caller gave; "" = none given
  std::string incumbent;  // candidate that is in use already, kept on a tie; "" = none
  int64_t as_of_unix_s = 0;  // when the rows were collected: only to say how old evidence is; in no digest
  friend bool operator==(const PlannerInput&, const PlannerInput&) = default;
};

// "input:f32[1,3,224,224];mask:i64[1,?]": every model input in model order, the form of EvidenceKey::shapes. An axis that is
// not known is its symbol or "?", an input of unknown rank is "[...]". `given` replaces what the model declares, by name.
std::string shapes_text(const std::vector<IoSpec>& inputs, const std::map<std::string, Shape>& given = {});

// "f32[batch,64]" as in TensorFacts::type.
std::string tensor_type_text(DataType dtype, bool rank_known, const SymbolicShape& shape);
// "batch=4, seq=128".
std::string axes_text(const std::map<std::string, int64_t>& sizes);

// The element type of such a text; kUndefined for "".
DataType element_type_of(std::string_view type_text);

// The engine of that name, its answer for that resource (parts of a split ask with the whole's id); null when there is none.
const EngineFacts* find_engine(const PlannerInput& input, std::string_view name);
const CapabilityFacts* find_capability(const EngineFacts& engine, std::string_view resource);
// The profile of the resource, or of the whole that it is a part of; null when it has none.
const DeviceProfile* find_profile(const PlannerInput& input, std::string_view resource);

}  // namespace axle
