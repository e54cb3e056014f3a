#include "qnn_support.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <set>

#include "graph_session.h"
#include "hexagon.h"
#include "quiet_stdout.h"
#include "support.h"

namespace axle::qnn {
namespace {

constexpr size_t kMaxReason = 1000;
constexpr size_t kMaxLog = 16u << 20;

kit::Verdict refusal(std::string code, std::string text) {
  if (text.size() > kMaxReason) text.resize(kMaxReason);
  return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1};
}

// What a session says while it is made: why nodes are refused stands nowhere else.
struct SessionLog {
  std::mutex mutex;
  std::string text;

  static void ORT_API_CALL take(void* self, OrtLoggingLevel, const char*, const char*, const char*, const char* message) {
    auto* log = static_cast<SessionLog*>(self);
    const std::lock_guard lock(log->mutex);
    if (message != nullptr && log->text.size() < kMaxLog) log->text.append(message).push_back('\n');
  }
};

struct Assignment {
  std::set<std::string, std::less<>> elsewhere;  // names of nodes that would not run on QNN
  std::string log;
};

void read_assignment(const ort::Api& api, const OrtSession* session, Assignment& assignment) {
  const OrtEpAssignedSubgraph* const* subgraphs = nullptr;
  size_t count = 0;
  const char* what = "reading which nodes QNN takes";
  ort::check(api, api->Session_GetEpGraphAssignmentInfo(session, &subgraphs, &count), what);
  for (size_t i = 0; i < count; ++i) {
    const char* provider = nullptr;
    ort::check(api, api->EpAssignedSubgraph_GetEpName(subgraphs[i], &provider), what);
    const OrtEpAssignedNode* const* nodes = nullptr;
    size_t node_count = 0;
    ort::check(api, api->EpAssignedSubgraph_GetNodes(subgraphs[i], &nodes, &node_count), what);
    const bool ours = provider != nullptr && std::string_view(provider) == kProvider;
    for (size_t n = 0; !ours && n < node_count; ++n) {
      const char* name = nullptr;
      ort::check(api, api->EpAssignedNode_GetName(nodes[n], &name), what);
      if (name != nullptr) assignment.elsewhere.emplace(name);
    }
  }
}

// What an unknown generation takes is what the usual one does; compiling for it is another matter.
Settings settings_to_ask_with(const kit::Options& options) {
  Settings settings = parse_settings(options);
  if (settings.htp_arch == kUnknownGeneration) settings.htp_arch = Settings().htp_arch;
  return settings;
}

// Throws what the vendor says when not even the CPU can load it.
Assignment assign(const Library& library, const kit::SupportArgs& args) {
  const ort::Api& api = library.runtime->api();
  std::string kept;
  const ort::ModelSource source = ort::inline_source_of(args.graph, kept);
  const auto options = make_session_options(library, settings_to_ask_with(args.options),
                                            {.half = args.precision == "f16", .cpu_fallback = true, .graphs_folder = ""});
  ort::set_external_folder(api, options.get(), source);
  SessionLog log;
  ort::check(api, api->SetSessionLogSeverityLevel(options.get(), ORT_LOGGING_LEVEL_VERBOSE), "setting the log level");
  ort::check(api, api->SetUserLoggingFunction(options.get(), &SessionLog::take, &log), "setting the log function");
  Assignment assignment;
  {
    const QuietStdout quiet;
    const auto session = ort::make<OrtSession>(api, api->ReleaseSession, "QNN cannot load the model", [&](OrtSession** out) {
      return api->CreateSessionFromArray(library.runtime->env(), source.bytes.data(), source.bytes.size(), options.get(), out);
    });
    read_assignment(api, session.get(), assignment);
  }
  const std::lock_guard lock(log.mutex);
  assignment.log = std::move(log.text);
  return assignment;
}

// The provider takes these and fails when it runs them: how large their outputs are depends on values.
constexpr std::array<std::string_view, 4> kDataDependent = {"NonZero", "Unique", "Compress", "NonMaxSuppression"};

bool is_data_dependent(const kit::Node& node) {
  return node.domain().empty() && std::ranges::find(kDataDependent, node.op_type()) != kDataDependent.end();
}

bool has_open_axes(const kit::Graph& graph) {
  for (uint32_t i = 0; i < graph.input_count(); ++i) {
    const kit::Value input = graph.input(i);
    if (!input.rank_known()) return true;
    for (const axle_dim_t& dim : input.shape()) {
      if (dim.size < 0) return true;
    }
  }
  return false;
}

std::string_view value_after(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view value = line.substr(at + key.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

}  // namespace

// Blocks of "Operator type: Det Node name: x Node index: 3", one line for each node, and "REASON : text" after them.
std::map<std::string, std::string, std::less<>> reasons_in(std::string_view log) {
  std::map<std::string, std::string, std::less<>> reasons;
  std::vector<std::string> block;
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    if (line.find("Validation ") != std::string_view::npos) block.clear();
    if (const std::string_view name = value_after(line, "Node name:"); !name.empty())
      block.emplace_back(name.substr(0, name.find(" Node index:")));
    const std::string_view reason = value_after(line, "REASON :");
    if (reason.empty()) continue;
    for (std::string& name : block) reasons.emplace(std::move(name), reason);
    block.clear();
  }
  return reasons;
}

kit::Support answer_support(const Library& library, const kit::SupportArgs& args) {
  const kit::Graph& graph = args.graph;
  kit::Support support;
  support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
  const auto refuse = [&](kit::Verdict verdict) {
    support.graph = support.otherwise = std::move(verdict);
    return support;
  };
  if (graph.format() != "onnx") return refuse(refusal("FORMAT", "QNN is given onnx, not " + std::string(graph.format())));
  if (const auto reason = refuse_precision(graph, args.precision)) return refuse(refusal("PRECISION", *reason));
  if (args.precision == "f16" && !has_half(settings_to_ask_with(args.options)))
    return refuse(refusal("PRECISION", "that processor does not compute in f16"));
  if (has_open_axes(graph)) return refuse(refusal("DYNAMIC_SHAPE", "QNN takes fixed shapes only"));
  args.cancel.check();
  Assignment assignment;
  try {
    assignment = assign(library, args);
  } catch (const kit::Error& error) {
    if (error.code() == AXLE_CANCELLED || error.code() == AXLE_RESOURCE_EXHAUSTED) throw;
    // Which node it is about is not said; the host asks about parts.
    support.graph = refusal("OTHER", error.message());
    support.otherwise = {kit::VerdictKind::kUnknown, "OTHER", error.message(), -1};
    return support;
  }
  const auto reasons = reasons_in(assignment.log);
  for (const kit::Node& node : graph.nodes()) {
    if (is_data_dependent(node)) {
      assignment.elsewhere.emplace(node.name());
      support.nodes.push_back(
          {node.index(),
           refusal("DYNAMIC_SHAPE", "the size of its output depends on values, and QNN takes fixed shapes only")});
      continue;
    }
    if (!assignment.elsewhere.contains(node.name())) continue;
    const auto reason = reasons.find(node.name());
    const std::string text = reason == reasons.end() ? "QNN's HTP backend does not take it as it stands here" : reason->second;
    support.nodes.push_back({node.index(), refusal("UNSUPPORTED_OP", text)});
  }
  if (assignment.elsewhere.empty()) return support;
  support.graph = refusal("UNSUPPORTED_OP", "QNN does not take " + std::to_string(assignment.elsewhere.size()) + " nodes");
  // Nodes that the optimiser made, whatever they were made of: parts of the graph will tell.
  if (support.nodes.empty()) support.otherwise = {kit::VerdictKind::kUnknown, "OTHER", support.graph.text, -1};
  return support;
}

}  // namespace axle::qnn
