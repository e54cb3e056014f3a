// What the engine tests share: the built plugin through the host's own classes, models written as text, real models when present.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "axle/model.h"
#include "axle/tensor.h"
#include "base/testing/status_matchers.h"
#include "engine/engine.h"

namespace axle::testing {

// A folder that disappears with the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// A registry that sees only the plugin of this build; `library` explicit or "" = search.
Result<std::shared_ptr<EngineRegistry>> onnxruntime_registry(const std::string& library = "");

// The graph of a model in ONNX's text form, or of a file.
Result<std::shared_ptr<const GraphIndex>> graph_from_text(const std::string& text);
Result<std::shared_ptr<const GraphIndex>> graph_from_file(const std::string& path);

// "" when AXLE_SHARED_MODELS (default: shared/models beside the checkout) is not there.
std::string shared_models();

class OnnxRuntimeEngine : public ::testing::Test {
 protected:
  // Skips, with the reason, where ONNX Runtime is not installed.
  void SetUp() override;

  EngineLoadRequest request(std::shared_ptr<const GraphIndex> graph, std::map<std::string, std::string> overrides = {}) const;
  // Loads, or fails the test and returns null.
  std::shared_ptr<const Executable> load(const EngineLoadRequest& request) const;
  // Loads what compile made of the request's graph.
  std::shared_ptr<const Executable> load_artefact(const EngineLoadRequest& request);

  std::shared_ptr<Engine> engine_;
  ScratchFolder scratch_;
};

// Feeds every input by name and returns the outputs by name, engine-allocated and copied out.
Result<std::map<std::string, Tensor>> run_once(const Executable& executable, const std::map<std::string, Tensor>& feeds);

Tensor float_tensor(Shape shape, const std::vector<float>& values);

}  // namespace axle::testing
