// Executable: a graph loaded by an engine. Context: what one caller binds and runs. The calls of a Context add to the
// engine's own cost one indirect call and one load (the fork guard).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "axle/cancel.h"
#include "axle/engine.h"
#include "base/fork_guard.h"
#include "engine/graph_handle.h"
#include "engine/host_api.h"
#include "engine/plugin.h"

namespace axle {

class Engine;
class Executable;

// An output of the last run, in the engine's memory or the caller's. Views: valid until the next run on the context.
struct OutputView {
  DataType dtype = DataType::kUndefined;
  std::span<const int64_t> shape;
  void* data = nullptr;       // STRING: axle_text_t elements
  size_t size_bytes = 0;      // dense bytes
  MemorySpace memory_space = MemorySpace::kHost;
};

// Used by one thread at a time; must not outlive its Executable (it keeps it alive).
class Context {
 public:
  Context(Context&& other) noexcept;
  Context& operator=(Context&&) = delete;
  ~Context();

  // The bytes stay the caller's and must stay valid until bound anew, unbound or the context dies; the tensor's string
  // elements are viewed, not copied. INVALID_ARGUMENT (dtype, rank, size), OUT_OF_RANGE (too few bytes).
  Status bind_input(size_t index, const Tensor& tensor);
  Status bind_input(size_t index, const axle_tensor_t& tensor);
  Status unbind_input(size_t index);
  // As bind_input. FAILED_PRECONDITION for strings: the engine allocates those.
  Status bind_output(size_t index, Tensor& tensor);
  Status bind_output(size_t index, const axle_tensor_t& tensor);
  Status unbind_output(size_t index);

  // Blocks until every bound buffer is the caller's again, also after cancel. CANCELLED, DEADLINE_EXCEEDED, OUT_OF_RANGE
  // (detail required_bytes) or the engine's failure.
  Status run() {
    if (guard_.in_forked_child()) [[unlikely]]
      return forked();
    axle_error_t* const error = run_(context_, nullptr);
    return error == nullptr ? Status() : run_failed(error, nullptr);
  }
  Status run(const CancelToken& cancel, const RunProfile* profile = nullptr) {
    if (guard_.in_forked_child()) [[unlikely]]
      return forked();
    const CancelHandle handle{&cancel};
    const axle_run_args_t args{sizeof(axle_run_args_t), handle.abi(), const_cast<RunProfile*>(profile)};
    axle_error_t* const error = run_(context_, &args);
    return error == nullptr ? Status() : run_failed(error, &cancel);
  }
  // True when the engine completes runs on its own threads.
  bool runs_async() const noexcept;
  // UNIMPLEMENTED unless runs_async(). `done` is called once, on any thread; `cancel` and the buffers must live until then.
  Status run_async(const CancelToken& cancel, std::function<void(Status)> done);

  Result<OutputView> output(size_t index);
  const Executable& executable() const noexcept { return *executable_; }

 private:
  friend class Executable;
  Context(std::shared_ptr<const Executable> executable, axle_context_t* context);
  Status forked() const;
  Status run_failed(axle_error_t* error, const CancelToken* cancel) const;

  std::shared_ptr<const Executable> executable_;
  axle_context_t* context_;
  axle_error_t* (*run_)(axle_context_t*, const axle_run_args_t*);
  ForkGuard guard_;
  std::vector<std::vector<axle_text_t>> texts_;  // of string inputs
};

// Thread-safe.
class Executable : public std::enable_shared_from_this<Executable> {
 public:
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  const EngineIo& io() const noexcept { return io_; }
  const EffectiveValues& effective() const noexcept { return effective_; }
  const EngineInfo& engine_info() const noexcept;
  const Plugin& plugin() const noexcept { return *plugin_; }
  // In a process of its own.
  bool is_isolated() const noexcept { return plugin_->remote() != nullptr; }
  Result<Context> make_context() const;
  // Empty when the engine counts nothing. Of an engine in a process of its own also worker_peak_memory_bytes,
  // worker_restarts and worker_copied_bytes.
  Result<std::map<std::string, double>> counters() const;
  // Of the process that it runs in, by the system ("worker_peak_memory_bytes", ...); empty in this process. The engine is not asked.
  std::map<std::string, double> process_counters() const;

 private:
  friend class Engine;
  friend class Context;
  Executable() = default;
  Result<std::map<std::string, double>> engine_counters() const;
  std::shared_ptr<const Engine> engine_;
  std::shared_ptr<const Plugin> plugin_;
  std::unique_ptr<GraphView> graph_;            // load's handle stays valid until unload
  std::shared_ptr<const void> artefact_;        // whoever holds the mapped blobs
  axle_executable_t* handle_ = nullptr;
  ForkGuard guard_;
  EngineIo io_;
  EffectiveValues effective_;
  std::string name_;                            // "onnxruntime on cpu:0", for messages
};

}  // namespace axle
