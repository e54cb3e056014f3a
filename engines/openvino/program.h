// One compiled model with its core, ports and inputs and outputs; made from the host's graph or from an artefact.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports.h"
#include "reductions.h"

namespace axle::openvino {

struct CompileFor {
  std::string device;
  std::string_view precision;
  int32_t threads = 1;
  Settings settings;
  // A core whose settings nobody else needs any more; null: the program makes one. Each core starts its own device plugins.
  std::shared_ptr<ov_core_t> core;
};

// What the vendor made of the model. After a run that failed the library takes the next one for done where shapes are the same, and hands out
// what was there before; only another instance is sound again.
struct Compiled {
  Handle<ov_compiled_model_t> model;
  std::vector<Port> inputs, outputs;
};

class BlobBytes;

class Program {
 public:
  static std::shared_ptr<Program> from_graph(std::shared_ptr<const Api> api, const kit::Graph& graph, const CompileFor& target,
                                             std::string_view scratch_folder);
  // DATA_LOSS when the blobs are not what compile wrote.
  static std::shared_ptr<Program> from_artefact(std::shared_ptr<const Api> api, std::span<const kit::Blob> blobs,
                                                const CompileFor& target, std::string_view scratch_folder);

  // Writes model.blob and io.bin into `folder`.
  kit::Manifest write_artefact(const std::string& folder, const CompileFor& target) const;

  const Api& api() const noexcept { return *api_; }
  const ov_compiled_model_t* model() { return compiled()->model.get(); }
  // Sound: what failed is replaced first. FAILED_PRECONDITION: only loading the model anew helps.
  std::shared_ptr<const Compiled> compiled();
  // Grows when what was compiled is sound no more: contexts take compiled() anew at their next run.
  uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
  // A run on `failed` failed.
  void fail(const std::shared_ptr<const Compiled>& failed);
  // A run on `by` went well for the library and computed nothing: its inputs are too small, or they have the shapes of the last good run and the
  // library takes them for done. True: another instance is there, which tells. `shapes` of the inputs; `same_as_good`: those of the
  // context's last good run, so that they alone are not at fault.
  bool skipped(const std::shared_ptr<const Compiled>& by, const std::vector<std::vector<int64_t>>& shapes, bool same_as_good);
  const kit::Io& io() const noexcept { return io_; }
  // Some shape inside is known at run time only: what it leads to may have nothing to compute.
  bool open_inside() const noexcept { return open_inside_; }
  // Axes of inputs that must not be empty.
  const std::vector<OpenReduction>& reductions() const noexcept { return reductions_; }
  std::atomic<uint64_t>& runs() noexcept { return runs_; }

  // Node by node what runs; needs settings.profiling at compile, no run.
  std::vector<kit::NodeKernel> kernels();

 private:
  Program(std::shared_ptr<const Api> api, const CompileFor& target, std::string_view scratch_folder);
  // `whole`: the model came as a file that the host cannot read as a graph, so that its names are what it expects.
  void replace();
  void take(ov_compiled_model_t* model, const kit::Io& names, bool whole);

  std::shared_ptr<const Api> api_;
  std::shared_ptr<const BlobBytes>
      blob_;  // what was imported, which the vendor reads from in place; null: compiled from a graph
  std::shared_ptr<ov_core_t> core_;
  std::string device_, scratch_folder_;
  std::mutex mutex_;  // of the next five
  std::shared_ptr<const Compiled> compiled_;
  bool failed_ = false;
  int failures_ = 0;
  bool skipped_ = false;  // compiled_ did so
  std::set<std::vector<std::vector<int64_t>>> too_small_;  // shapes at which an instance that had skipped nothing yet did
  std::atomic<uint64_t> generation_{0};
  kit::Io io_;
  bool open_inside_ = true;
  std::vector<OpenReduction> reductions_;
  std::atomic<uint64_t> runs_{0};
};

// Reads the model through the vendor's front end. Throws the vendor's text.
Handle<ov_model_t> read_model(const Api& api, const ov_core_t* core, const kit::Graph& graph, std::string_view scratch_folder);

}  // namespace axle::openvino
