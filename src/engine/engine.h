// Engine: an open engine, its answers read and checked. Thread-safe; lives until the last Executable made from it is gone.
// Resources are named by the machine's ids ("cpu:0", "cpu:0/1", "gpu:1"); the engine's own names stay inside.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cancel.h"
#include "axle/engine.h"
#include "engine/executable.h"
#include "engine/graph_handle.h"
#include "engine/host_api.h"
#include "engine/plugin.h"

namespace axle {

struct EngineCreateOptions {
  std::string library_path;                  // explicit; "" = search
  std::vector<std::string> search_folders;
  std::map<std::string, std::string> options;
  std::string scratch_folder;
  std::shared_ptr<const void> scratch_owner; // keeps the folder as long as the engine lives
};

// What support, compile and load are asked about.
struct EngineRequest {
  std::shared_ptr<const GraphIndex> graph;   // may be null for load of a self-contained artefact
  std::string resource;                      // the machine's id; a part ("cpu:0/1") asks for the whole
  std::string precision = "f32";
  std::map<std::string, std::string> options;  // complete: see resolve_options
  std::string scratch_folder;                // "" = a fresh one below the engine's
  CancelToken cancel = CancelToken::none();
  EngineProgress progress;                   // compile and load
};

struct LoadBlob {
  std::string name;
  std::string_view data;  // mapped bytes, or empty
  std::string path;
};

struct EngineLoadRequest : EngineRequest {
  std::vector<LoadBlob> blobs;               // the artefact; empty = from the graph
  std::shared_ptr<const void> artefact_owner;  // keeps blob bytes alive until unload
  int32_t threads = 1;
  bool spin = false;
  std::vector<int32_t> cpu_set;              // empty = all allowed
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // Opens the vendor library. UNAVAILABLE (hint: the install command) when it is missing, too old or broken; INTERNAL when
  // the engine's answers make no sense.
  static Result<std::shared_ptr<Engine>> create(std::shared_ptr<const Plugin> plugin, const EngineCreateOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineInfo& info() const noexcept { return info_; }
  const std::string& name() const noexcept { return info_.name; }
  const Plugin& plugin() const noexcept { return *plugin_; }
  const EngineCreateOptions& created_with() const noexcept { return created_with_; }
  // "sha256:..." over plugin and vendor library.
  const std::string& library_digest() const noexcept { return library_digest_; }
  void set_library_digest(std::string digest) { library_digest_ = std::move(digest); }
  // Whoever keeps the engine for all says how another takes its place there; false = it is not alone any more with the caller.
  using Replace = std::function<bool(const Engine& old, const std::shared_ptr<Engine>& with)>;
  void set_replace(Replace replace) { replace_ = std::move(replace); }
  // Another engine takes its place where it is kept: with the same answers, and a process that is started when it is asked something new.
  // Then this one, and its process, is the caller's alone. False, and nothing changed: it is in this process, its process ended before, or
  // somebody else uses it.
  bool leave_place();
  // For the conformance suite, which asks the table itself.
  axle_engine_t* handle() const noexcept { return handle_; }
  bool can_compile() const noexcept { return plugin_->api().compile != nullptr; }

  // Joined with `machine` once bind_machine was called.
  std::vector<EngineResource> resources() const;
  void bind_machine(const Machine& machine);
  // Devices that are not here and that it compiles for all the same (docs/formats/engine-answers.md, `compiles_for`). Neither listed
  // nor loaded on; capability, support and compile take their ids.
  const std::vector<EngineResource>& targets() const noexcept { return targets_; }
  // Of the target that a resource of another machine is. FAILED_PRECONDITION: the engine compiles for none like it.
  Result<std::string> target_for(const Resource& resource) const;
  // The engine's own name. NOT_FOUND names the resources it has.
  Result<std::string> engine_resource_id(std::string_view resource) const;

  // Memoised per resource.
  Result<Capability> capability(std::string_view resource) const;
  // Verdicts on the graph's nodes. Not memoised here: the caller keys it by model digest, library digest and options.
  Result<GraphVerdict> support(const EngineRequest& request) const;
  // Writes into request.scratch_folder, which must be given and empty. UNIMPLEMENTED unless can_compile().
  Result<ArtefactManifest> compile(const EngineRequest& request, int32_t threads) const;
  Result<std::shared_ptr<const Executable>> load(const EngineLoadRequest& request) const;

 private:
  Engine(std::shared_ptr<const Plugin> plugin, const EngineCreateOptions& options);
  Status open_handle();
  Status read_facts();
  std::string named(std::string_view verb, std::string_view resource) const;

  std::shared_ptr<const Plugin> plugin_;
  axle_engine_t* handle_ = nullptr;
  ForkGuard guard_;
  EngineCreateOptions created_with_;
  std::string library_digest_;
  Replace replace_;
  EngineInfo info_;
  mutable std::mutex mutex_;
  std::vector<EngineResource> resources_;
  std::vector<EngineResource> targets_;
  mutable std::map<std::string, Capability, std::less<>> capabilities_;  // by the engine's resource name
};

// Facts known without the vendor library (describe without an engine).
Result<EngineInfo> plugin_facts(const Plugin& plugin);

}  // namespace axle
