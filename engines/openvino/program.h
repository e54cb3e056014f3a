// One compiled model with its core, ports and inputs and outputs; made from the host's graph or from an artefact.
#pragma once

#include <atomic>
#include <optional>

#include "ports.h"

namespace axle::openvino {

struct CompileFor {
  std::string device;
  std::string_view precision;
  int32_t threads = 1;
  Settings settings;
  // A core whose settings nobody else needs any more; null: the program makes one. Each core starts its own device plugins.
  std::shared_ptr<ov_core_t> core;
};

class Program {
 public:
  static std::shared_ptr<Program> from_graph(std::shared_ptr<const Api> api, const kit::Graph& graph, const CompileFor& target,
                                             std::string_view scratch_folder);
  // DATA_LOSS when the blobs are not what compile wrote.
  static std::shared_ptr<Program> from_artefact(std::shared_ptr<const Api> api, std::span<const kit::Blob> blobs,
                                                const CompileFor& target);

  // Writes model.blob and io.bin into `folder`.
  kit::Manifest write_artefact(const std::string& folder, const CompileFor& target) const;

  const Api& api() const noexcept { return *api_; }
  const ov_compiled_model_t* model() const noexcept { return model_.get(); }
  const kit::Io& io() const noexcept { return io_; }
  const Port& input_port(size_t index) const { return inputs_[index]; }
  const Port& output_port(size_t index) const { return outputs_[index]; }
  std::atomic<uint64_t>& runs() noexcept { return runs_; }

  // Node by node what runs; needs settings.profiling at compile, no run.
  std::vector<kit::NodeKernel> kernels() const;

 private:
  Program(std::shared_ptr<const Api> api, const CompileFor& target);
  // `whole`: the model came as a file that the host cannot read as a graph, so that its names are what it expects.
  void read_ports(const kit::Io& names, bool whole);

  std::shared_ptr<const Api> api_;
  std::shared_ptr<const void> bytes_;  // of an imported blob, which the vendor reads from in place
  std::shared_ptr<ov_core_t> core_;
  Handle<ov_compiled_model_t> model_;
  std::vector<Port> inputs_, outputs_;
  kit::Io io_;
  std::atomic<uint64_t> runs_{0};
};

// Reads the model through the vendor's front end. Throws the vendor's text.
Handle<ov_model_t> read_model(const Api& api, const ov_core_t* core, const kit::Graph& graph, std::string_view scratch_folder);

}  // namespace axle::openvino
