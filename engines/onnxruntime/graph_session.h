// Sessions over the host's graph: where its model is loaded from, and old models whose weights pose as inputs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "session.h"

namespace axle::ort {

// The file when the graph is a whole model on disk (external data is then mapped by the library), else the host's bytes.
// Views are valid during the verb. Throws UNIMPLEMENTED for a format without bytes.
ModelSource source_of(const kit::Graph& graph);

// The host's bytes, which list true inputs only: never the file. `kept` holds them where they had to be changed.
ModelSource inline_source_of(const kit::Graph& graph, std::string& kept);

using MakeOptions = std::function<Handle<OrtSessionOptions>()>;

// Opens the graph with options from `make_options`. A model that lists its weights among its inputs (exporters before 2019)
// may have them overridden at each run, so the library folds and fuses nothing; axle never overrides weights, so such a
// model is opened again from the host's bytes, which list true inputs only (2.3 times faster on one detector).
std::unique_ptr<Session> open_graph(const std::shared_ptr<const Runtime>& runtime, const MakeOptions& make_options,
                                    std::span<const int32_t> cpu_set, const kit::Graph& graph, const kit::Cancel& cancel);

}  // namespace axle::ort
