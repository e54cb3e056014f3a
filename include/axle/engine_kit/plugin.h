// The classes a plugin derives from, and the boundary that turns them into the C function table.
//
//   class MyEngine : public axle::kit::Engine {
//    public:
//     static kit::EngineInfo facts();  // known without the vendor library; must not open it
//     static std::unique_ptr<kit::Engine> create(kit::Host host, const kit::CreateArgs& args);  // throws UNAVAILABLE
//     static constexpr bool kCompiles = true;    // only when compile() is overridden
//     static constexpr bool kCounts = true;      // only when Executable::counters() is overridden
//     static constexpr bool kRunsAsync = true;   // only when Context::run_async() is overridden
//     ...
//   };
//   AXLE_ENGINE_PLUGIN(MyEngine)
//
// Threads: the verbs of one Engine or Executable may be called from several threads at once; one Context is used by one
// thread at a time. Any exception may be thrown: std::bad_alloc becomes RESOURCE_EXHAUSTED, an unknown one INTERNAL.
// The boundary adds no allocation to bind and run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "axle/engine_kit/answers.h"
#include "axle/engine_kit/graph.h"

namespace axle::kit {

struct CreateArgs {
  std::string library_path;  // explicit vendor library; empty = search
  std::vector<std::string> search_folders;
  Options options;
  std::string scratch_folder;
};

struct SupportArgs {
  Graph graph;
  std::string_view resource;
  std::string_view precision;
  Options options;
  Cancel cancel;
  std::string_view scratch_folder;
};

struct CompileArgs {
  Graph graph;
  std::string_view resource;
  std::string_view precision;
  Options options;
  int32_t threads = 1;
  std::string_view scratch_folder;
  Cancel cancel;
  Progress progress;
};

struct Blob {
  std::string_view name;
  std::string_view data;  // valid until unload; empty = read path
  std::string_view path;
};

struct LoadArgs {
  std::optional<Graph> graph;  // its handle stays valid until unload
  std::vector<Blob> blobs;     // the artefact; empty = compile from graph now
  std::string_view resource;
  std::string_view precision;
  Options options;
  int32_t threads = 1;
  bool spin = false;
  std::span<const int32_t> cpu_set;  // empty = all allowed
  std::string_view scratch_folder;
  Cancel cancel;
  Progress progress;
};

struct RunArgs {
  Cancel cancel;
  Profile profile;
};

// Completes one run_async; call exactly one of the two, on any thread, once the buffers are the caller's again.
class Done {
 public:
  Done(axle_done_t done, void* user) : done_(done), user_(user) {}
  void complete() const { done_(user_, nullptr); }
  inline void fail(const Error& error) const;

 private:
  axle_done_t done_;
  void* user_;
};

class Context {
 public:
  virtual ~Context() = default;
  // tensor null = unbind. The bytes stay the caller's.
  virtual void bind_input(uint32_t index, const axle_tensor_t* tensor) = 0;
  // tensor null = allocate at each run.
  virtual void bind_output(uint32_t index, const axle_tensor_t* tensor) = 0;
  virtual void run(const RunArgs& args) = 0;
  // Of the last run; engine-allocated data and the shape array live until the next run.
  virtual axle_tensor_t output(uint32_t index) = 0;
  virtual void run_async(const RunArgs&, Done) { throw unimplemented("run_async"); }
};

class Executable {
 public:
  virtual ~Executable() = default;
  virtual Io io() = 0;
  virtual std::unique_ptr<Context> make_context() = 0;
  virtual Counters counters() { throw unimplemented("counters"); }
};

struct Loaded {
  std::unique_ptr<Executable> executable;
  Effective effective;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual EngineInfo describe() = 0;
  virtual std::vector<ResourceInfo> resources() = 0;
  // NOT_FOUND for a resource that `resources` does not list.
  virtual Capability capability(std::string_view resource) = 0;
  virtual Support support(const SupportArgs& args) = 0;
  virtual Manifest compile(const CompileArgs&) { throw unimplemented("compile"); }
  virtual Loaded load(const LoadArgs& args) = 0;
};

}  // namespace axle::kit
