// Verdicts: the whole model is tried first (one cheap load without optimisation is the exact truth when it succeeds); when it
// fails, every distinct kind of node is tried alone and the answers are kept with the library, by the host also for other processes.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "graph_session.h"
#include "known_nodes.h"
#include "providers.h"

namespace axle::ort {

struct ModelParts;

// What a graph computes in, as far as its element types say.
struct GraphTypes {
  bool quantised = false;  // holds QuantizeLinear, QLinear*, integer matrix products
  std::set<std::string> floats;  // of values that are computed or fed: "f32", "f16", ...
};
GraphTypes types_of(const kit::Graph& graph);

inline constexpr std::array<std::string_view, 5> kPrecisions = {"f32", "int8", "f64", "f16", "bf16"};
// Throws UNIMPLEMENTED for a name that is none of these.
void check_precision_name(std::string_view precision);

// Why `precision` cannot be had for a graph of these types; no value: it can.
std::optional<std::string> refuse_precision(const GraphTypes& types, std::string_view precision);

class Supporter {
 public:
  Supporter(std::shared_ptr<const Runtime> runtime, Providers& providers)
      : runtime_(std::move(runtime)), providers_(providers) {}
  kit::Support answer(const kit::SupportArgs& args);

 private:
  // Loads without optimising; no value: fine, else the vendor's failure. Throws CANCELLED and RESOURCE_EXHAUSTED.
  std::optional<kit::Error> try_load(const ModelSource& source, const kit::SupportArgs& args);
  // `local`: of this question, by exact signature. `alone`: whatever other nodes of its kind have shown.
  kit::Verdict probe(const ModelParts& parts, const kit::Node& node, const kit::SupportArgs& args,
                     std::map<std::string, kit::Verdict>& local, bool alone);
  void probe_all(const ModelParts& parts, const kit::SupportArgs& args, kit::Support& support);

  std::shared_ptr<const Runtime> runtime_;
  Providers& providers_;
  KnownNodes known_;  // by custom operators, provider, what decides how it lowers, and node signature
};

}  // namespace axle::ort
