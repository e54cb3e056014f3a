// Over 400 lines would mean a verb does more than decode, call, encode.
#include "engine/flat_server.h"

#include <unistd.h>

#include <atomic>

#include "base/checked.h"
#include "engine/host_api.h"
#include "spec/engine_answers.h"

namespace axle {
namespace {

constexpr size_t kMaxHandles = 1u << 16;
constexpr size_t kMaxSegmentBytes = size_t{1} << 40;

axle_text_t to_text(std::string_view text) noexcept { return {text.data(), text.size()}; }

template <typename T>
class Handles {
 public:
  uint64_t add(T item) {
    const std::lock_guard lock(mutex_);
    items_.emplace(++last_, std::move(item));
    return last_;
  }
  T find(uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = items_.find(id);
    return found == items_.end() ? T() : found->second;
  }
  T remove(uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = items_.find(id);
    if (found == items_.end()) return T();
    T item = std::move(found->second);
    items_.erase(found);
    return item;
  }
  bool full() const {
    const std::lock_guard lock(mutex_);
    return items_.size() >= kMaxHandles;
  }

 private:
  mutable std::mutex mutex_;
  uint64_t last_ = 0;
  std::map<uint64_t, T> items_;
};

struct EngineHandle {
  std::shared_ptr<const Plugin> plugin;
  axle_engine_t* engine = nullptr;
  ~EngineHandle() {
    if (engine != nullptr) plugin->api().destroy(engine);
  }
};

struct ExecutableHandle {
  std::shared_ptr<EngineHandle> engine;
  std::unique_ptr<GraphView> graph;
  std::vector<std::shared_ptr<const void>> owners;  // segments the blobs lie in
  axle_executable_t* executable = nullptr;
  ~ExecutableHandle() {
    if (executable != nullptr) engine->plugin->api().unload(executable);
  }
};

struct ContextHandle {
  std::shared_ptr<ExecutableHandle> executable;
  axle_context_t* context = nullptr;
  std::mutex mutex;                                          // one run at a time
  std::map<uint32_t, std::vector<std::string>> texts;        // string inputs
  std::map<uint32_t, std::vector<axle_text_t>> text_views;
  std::map<uint32_t, std::shared_ptr<const void>> in_owners, out_owners;
  ~ContextHandle() {
    if (context != nullptr) executable->engine->plugin->api().context_destroy(context);
  }
};

// Sends the events of a run home.
class NoticeSink final : public TraceSink {
 public:
  NoticeSink(const std::function<void(std::string)>& notify, uint64_t profile) : notify_(notify), profile_(profile) {}
  void record(const TraceEvent& event) noexcept override {
    FlatWriter notice(FlatVerb::kTrace);
    const std::lock_guard lock(mutex_);
    notice.u64(profile_).text(texts_[event.name]).text(trace_category_name(event.category)).i64(event.start_ns);
    notice.i64(event.duration_ns).text(event.detail == 0 ? std::string_view() : texts_[event.detail]);
    notify_(notice.take());
  }
  TraceText intern(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    texts_.emplace_back(text);
    return static_cast<TraceText>(texts_.size() - 1);
  }

 private:
  const std::function<void(std::string)>& notify_;
  uint64_t profile_;
  std::mutex mutex_;
  std::vector<std::string> texts_ = {""};
};

}  // namespace

struct FlatServer::Impl {
  std::shared_ptr<const Plugin> plugin;
  std::function<void(std::string)> notify;
  Handles<std::shared_ptr<EngineHandle>> engines;
  Handles<std::shared_ptr<ExecutableHandle>> executables;
  Handles<std::shared_ptr<ContextHandle>> contexts;
  std::mutex segments_mutex;
  std::map<uint32_t, std::shared_ptr<SharedMemory>> segments;

  // ---- places ----
  Result<FlatSpan> resolve(const FlatPlace& place) {
    const std::lock_guard lock(segments_mutex);
    const auto found = segments.find(place.segment);
    if (found == segments.end()) return invalid_argument_error("engine message: unknown segment");
    const size_t size = found->second->size_bytes();
    if (place.offset > size || place.size_bytes > size - place.offset) return invalid_argument_error("engine message: place outside its segment");
    return FlatSpan{{found->second->data() + place.offset, static_cast<size_t>(place.size_bytes)}, found->second};
  }

  FlatError take(axle_error_t* error) const {
    FlatError out;
    if (error == nullptr) return out;
    axle_error_info_t info{};
    info.struct_size = sizeof(info);
    plugin->api().error_info(error, &info);
    out = {info.code == 0 ? AXLE_UNKNOWN : info.code, info.vendor_code, info.required_bytes,
           std::string(info.message.data, info.message.size), std::string(info.hint.data == nullptr ? "" : info.hint.data, info.hint.size)};
    plugin->api().release_error(error);
    return out;
  }

  static std::string failed(FlatVerb verb, int32_t code, std::string message) {
    FlatWriter reply(verb);
    write_error(reply, {code, 0, 0, std::move(message), ""});
    return reply.take();
  }
  static std::string failed(FlatVerb verb, const Status& status) { return failed(verb, static_cast<int32_t>(status.code()), status.message()); }

  // A reply that holds the error, or the document.
  std::string document(FlatVerb verb, axle_error_t* error, axle_buffer_t& buffer) const {
    FlatWriter reply(verb);
    write_error(reply, take(error));
    if (error == nullptr) {
      reply.text(std::string_view(buffer.data == nullptr ? "" : buffer.data, buffer.size));
      plugin->api().release_buffer(&buffer);
    }
    return reply.take();
  }

  EngineProgress progress_to(uint64_t token) {
    if (token == 0) return nullptr;
    return [this, token](uint64_t done, uint64_t total, std::string_view what) {
      notify(FlatWriter(FlatVerb::kProgress).u64(token).u64(done).u64(total).text(what).take());
    };
  }

  Result<CancelHandle> cancel_flag(const FlatPlace& place) {
    CancelHandle handle;
    if (place.segment == 0) return handle;
    AXLE_ASSIGN_OR_RETURN(const FlatSpan span, resolve(place));
    const bool aligned = reinterpret_cast<uintptr_t>(span.bytes.data()) % alignof(std::atomic<uint32_t>) == 0;
    if (span.bytes.size() != sizeof(uint32_t) || !aligned) return invalid_argument_error("engine message: misplaced cancel flag");
    handle.flag = reinterpret_cast<const std::atomic<uint32_t>*>(span.bytes.data());
    return handle;
  }

  Result<std::unique_ptr<GraphView>> graph(FlatReader& reader) {
    AXLE_ASSIGN_OR_RETURN(auto graph, read_graph(reader, [this](const FlatPlace& place) { return resolve(place); }));
    AXLE_ASSIGN_OR_RETURN(auto index, GraphIndex::create(std::move(graph)));
    return std::make_unique<GraphView>(std::move(index));
  }

  std::string serve(FlatReader& reader);
  std::string create(FlatReader& reader);
  std::string describe(FlatReader& reader);
  std::string answer(FlatReader& reader);
  std::string support(FlatReader& reader);
  std::string compile(FlatReader& reader);
  std::string load(FlatReader& reader);
  std::string context_create(FlatReader& reader);
  std::string bind(FlatReader& reader);
  std::string run(FlatReader& reader);
  std::string run_async(FlatReader& reader);
  std::string executable_answer(FlatReader& reader);
  Status write_outputs(FlatWriter& reply, ContextHandle& context, const std::vector<uint32_t>& wanted, const FlatPlace& room);
  std::string run_reply(FlatVerb verb, axle_error_t* error, ContextHandle& context, const std::vector<uint32_t>& wanted, const FlatPlace& room);
};

std::string FlatServer::Impl::create(FlatReader& reader) {
  axle_create_args_t args{};
  args.struct_size = sizeof(args);
  args.library_path = reader.abi_text();
  std::vector<axle_text_t> folders;
  const size_t count = reader.count(8);
  for (size_t i = 0; i < count && reader.ok(); ++i) folders.push_back(reader.abi_text());
  const std::vector<axle_option_t> options = reader.options();
  args.scratch_folder = reader.abi_text();
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kCreate, status);
  args.search_folders = folders.data();
  args.search_folder_count = folders.size();
  args.options = options.data();
  args.option_count = options.size();
  auto handle = std::make_shared<EngineHandle>();
  handle->plugin = plugin;
  FlatWriter reply(FlatVerb::kCreate);
  const FlatError error = take(plugin->api().create(&args, &handle->engine));
  write_error(reply, error);
  if (error.code == 0) reply.u64(engines.add(std::move(handle)));
  return reply.take();
}

std::string FlatServer::Impl::describe(FlatReader& reader) {
  const uint64_t id = reader.u64();
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kDescribe, status);
  const auto handle = id == 0 ? nullptr : engines.find(id);
  if (id != 0 && handle == nullptr) return failed(FlatVerb::kDescribe, AXLE_NOT_FOUND, "no such engine");
  axle_buffer_t buffer{};
  axle_error_t* error = plugin->api().describe(handle == nullptr ? nullptr : handle->engine, &buffer);
  FlatWriter reply(FlatVerb::kDescribe);
  const axle_engine_api_t& api = plugin->api();
  write_error(reply, take(error));
  if (error != nullptr) return reply.take();
  reply.text(std::string_view(buffer.data == nullptr ? "" : buffer.data, buffer.size));
  plugin->api().release_buffer(&buffer);
  reply.u32((api.compile ? kSlotCompile : 0) | (api.counters ? kSlotCounters : 0) | (api.run_async ? kSlotRunAsync : 0));
  return reply.take();
}

// resources and capability
std::string FlatServer::Impl::answer(FlatReader& reader) {
  const FlatVerb verb = reader.verb();
  const auto handle = engines.find(reader.u64());
  const axle_text_t resource = verb == FlatVerb::kCapability ? reader.abi_text() : axle_text_t{};
  if (Status status = reader.finish(); !status.ok()) return failed(verb, status);
  if (handle == nullptr) return failed(verb, AXLE_NOT_FOUND, "no such engine");
  axle_buffer_t buffer{};
  axle_error_t* error = verb == FlatVerb::kCapability ? plugin->api().capability(handle->engine, resource, &buffer)
                                                      : plugin->api().resources(handle->engine, &buffer);
  return document(verb, error, buffer);
}

std::string FlatServer::Impl::support(FlatReader& reader) {
  const auto handle = engines.find(reader.u64());
  axle_support_args_t args{};
  args.struct_size = sizeof(args);
  args.resource = reader.abi_text();
  args.precision = reader.abi_text();
  const std::vector<axle_option_t> options = reader.options();
  args.scratch_folder = reader.abi_text();
  const auto cancel = cancel_flag(read_place(reader));
  if (!cancel.ok()) return failed(FlatVerb::kSupport, cancel.status());
  const auto view = graph(reader);
  if (!view.ok()) return failed(FlatVerb::kSupport, view.status());
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kSupport, status);
  if (handle == nullptr) return failed(FlatVerb::kSupport, AXLE_NOT_FOUND, "no such engine");
  args.graph = (*view)->abi();
  args.options = options.data();
  args.option_count = options.size();
  args.cancel = cancel->abi();
  axle_buffer_t buffer{};
  return document(FlatVerb::kSupport, plugin->api().support(handle->engine, &args, &buffer), buffer);
}

std::string FlatServer::Impl::compile(FlatReader& reader) {
  const auto handle = engines.find(reader.u64());
  axle_compile_args_t args{};
  args.struct_size = sizeof(args);
  args.resource = reader.abi_text();
  args.precision = reader.abi_text();
  const std::vector<axle_option_t> options = reader.options();
  args.scratch_folder = reader.abi_text();
  args.threads = reader.i32();
  EngineProgress progress = progress_to(reader.u64());
  const auto cancel = cancel_flag(read_place(reader));
  if (!cancel.ok()) return failed(FlatVerb::kCompile, cancel.status());
  const auto view = graph(reader);
  if (!view.ok()) return failed(FlatVerb::kCompile, view.status());
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kCompile, status);
  if (handle == nullptr) return failed(FlatVerb::kCompile, AXLE_NOT_FOUND, "no such engine");
  if (plugin->api().compile == nullptr) return failed(FlatVerb::kCompile, AXLE_UNIMPLEMENTED, "the engine makes no artefacts");
  args.graph = (*view)->abi();
  args.options = options.data();
  args.option_count = options.size();
  args.cancel = cancel->abi();
  args.progress = progress ? &progress : nullptr;
  axle_buffer_t buffer{};
  return document(FlatVerb::kCompile, plugin->api().compile(handle->engine, &args, &buffer), buffer);
}

std::string FlatServer::Impl::load(FlatReader& reader) {
  auto made = std::make_shared<ExecutableHandle>();
  made->engine = engines.find(reader.u64());
  axle_load_args_t args{};
  args.struct_size = sizeof(args);
  args.resource = reader.abi_text();
  args.precision = reader.abi_text();
  const std::vector<axle_option_t> options = reader.options();
  args.scratch_folder = reader.abi_text();
  args.threads = reader.i32();
  args.spin = reader.i32();
  const std::vector<int32_t> cpus = reader.numbers<int32_t>();
  EngineProgress progress = progress_to(reader.u64());
  const auto cancel = cancel_flag(read_place(reader));
  if (!cancel.ok()) return failed(FlatVerb::kLoad, cancel.status());
  std::vector<axle_blob_t> blobs;
  const size_t blob_count = reader.count(36);
  for (size_t i = 0; i < blob_count && reader.ok(); ++i) {
    axle_blob_t blob{};
    blob.name = reader.abi_text();
    blob.path = reader.abi_text();
    if (const FlatPlace place = read_place(reader); place.segment != 0) {
      const auto span = resolve(place);
      if (!span.ok()) return failed(FlatVerb::kLoad, span.status());
      blob.data = {reinterpret_cast<const char*>(span->bytes.data()), span->bytes.size()};
      made->owners.push_back(span->owner);
    }
    blobs.push_back(blob);
  }
  if (reader.u32() != 0) {
    auto view = graph(reader);
    if (!view.ok()) return failed(FlatVerb::kLoad, view.status());
    made->graph = *std::move(view);
  }
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kLoad, status);
  if (made->engine == nullptr) return failed(FlatVerb::kLoad, AXLE_NOT_FOUND, "no such engine");
  if (executables.full()) return failed(FlatVerb::kLoad, AXLE_RESOURCE_EXHAUSTED, "too many executables");
  args.graph = made->graph ? made->graph->abi() : nullptr;
  args.blobs = blobs.data();
  args.blob_count = blobs.size();
  args.options = options.data();
  args.option_count = options.size();
  args.cpu_set = cpus.data();
  args.cpu_count = cpus.size();
  args.cancel = cancel->abi();
  args.progress = progress ? &progress : nullptr;
  axle_buffer_t effective{};
  axle_error_t* error = plugin->api().load(made->engine->engine, &args, &made->executable, &effective);
  if (made->graph) made->graph->drop_bytes();
  std::string reply = document(FlatVerb::kLoad, error, effective);
  if (error != nullptr) return reply;
  const uint64_t id = executables.add(std::move(made));
  return reply.append(reinterpret_cast<const char*>(&id), sizeof(id));
}

// io and counters
std::string FlatServer::Impl::executable_answer(FlatReader& reader) {
  const FlatVerb verb = reader.verb();
  const auto handle = executables.find(reader.u64());
  if (Status status = reader.finish(); !status.ok()) return failed(verb, status);
  if (handle == nullptr) return failed(verb, AXLE_NOT_FOUND, "no such executable");
  if (verb == FlatVerb::kCounters && plugin->api().counters == nullptr) return failed(verb, AXLE_UNIMPLEMENTED, "no counters");
  axle_buffer_t buffer{};
  axle_error_t* error = verb == FlatVerb::kIo ? plugin->api().io(handle->executable, &buffer) : plugin->api().counters(handle->executable, &buffer);
  return document(verb, error, buffer);
}

std::string FlatServer::Impl::context_create(FlatReader& reader) {
  auto made = std::make_shared<ContextHandle>();
  made->executable = executables.find(reader.u64());
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kContextCreate, status);
  if (made->executable == nullptr) return failed(FlatVerb::kContextCreate, AXLE_NOT_FOUND, "no such executable");
  if (contexts.full()) return failed(FlatVerb::kContextCreate, AXLE_RESOURCE_EXHAUSTED, "too many contexts");
  FlatWriter reply(FlatVerb::kContextCreate);
  const FlatError error = take(plugin->api().context_create(made->executable->executable, &made->context));
  write_error(reply, error);
  if (error.code == 0) reply.u64(contexts.add(std::move(made)));
  return reply.take();
}

std::string FlatServer::Impl::bind(FlatReader& reader) {
  const FlatVerb verb = reader.verb();
  const auto context = contexts.find(reader.u64());
  const uint32_t index = reader.u32();
  const bool present = reader.u32() != 0;
  FlatTensor given = present ? read_tensor(reader) : FlatTensor{};
  if (Status status = reader.finish(); !status.ok()) return failed(verb, status);
  if (context == nullptr) return failed(verb, AXLE_NOT_FOUND, "no such context");
  const std::lock_guard lock(context->mutex);
  const bool input = verb == FlatVerb::kBindInput;
  axle_tensor_t tensor{};
  std::shared_ptr<const void> owner;
  std::vector<std::string> texts;  // moved into the context once the engine has accepted them: element addresses stay
  std::vector<axle_text_t> views;
  if (present) {
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = given.dtype;
    tensor.rank = static_cast<int32_t>(given.shape.size());
    tensor.shape = given.shape.data();
    tensor.memory_space = 2;
    if (given.dtype == static_cast<int32_t>(DataType::kString)) {
      texts = std::move(given.texts);
      for (const std::string& text : texts) views.push_back(to_text(text));
      tensor.data = views.data();
      tensor.size_bytes = views.size() * sizeof(axle_text_t);
      tensor.memory_space = 0;
    } else if (given.place.segment != 0) {
      const auto span = resolve(given.place);
      if (!span.ok()) return failed(verb, span.status());
      tensor.data = const_cast<std::byte*>(span->bytes.data());
      tensor.size_bytes = span->bytes.size();
      owner = span->owner;
    }
  }
  const auto call = input ? plugin->api().bind_input : plugin->api().bind_output;
  FlatWriter reply(verb);
  const FlatError error = take(call(context->context, index, present ? &tensor : nullptr));
  write_error(reply, error);
  if (error.code != 0) return reply.take();
  (input ? context->in_owners : context->out_owners)[index] = std::move(owner);
  if (input) {
    context->texts[index] = std::move(texts);
    context->text_views[index] = std::move(views);
  }
  return reply.take();
}

// Shapes of all wanted outputs; bytes of those the engine allocated go into `room`, as far as it is large enough.
Status FlatServer::Impl::write_outputs(FlatWriter& reply, ContextHandle& context, const std::vector<uint32_t>& wanted, const FlatPlace& room) {
  FlatSpan space;
  if (room.segment != 0) {
    AXLE_ASSIGN_OR_RETURN(space, resolve(room));
  }
  uint64_t used = 0;
  reply.u64(wanted.size());
  for (const uint32_t index : wanted) {
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    const FlatError error = take(plugin->api().output(context.context, index, &tensor));
    write_error(reply, error);
    if (error.code != 0) continue;
    FlatTensor out;
    out.dtype = tensor.dtype;
    out.shape.assign(tensor.shape, tensor.shape + tensor.rank);
    out.place.size_bytes = tensor.size_bytes;
    const bool bound = context.out_owners[index] != nullptr;
    if (tensor.dtype == static_cast<int32_t>(DataType::kString)) {
      const auto* texts = static_cast<const axle_text_t*>(tensor.data);
      for (size_t i = 0; i < tensor.size_bytes / sizeof(axle_text_t); ++i) out.texts.emplace_back(texts[i].data == nullptr ? "" : texts[i].data, texts[i].size);
    } else if (!bound && used <= space.bytes.size() && tensor.size_bytes <= space.bytes.size() - used) {
      if (tensor.size_bytes > 0) std::memcpy(const_cast<std::byte*>(space.bytes.data()) + used, tensor.data, tensor.size_bytes);
      out.place.segment = room.segment;
      out.place.offset = room.offset + used;
      used += (tensor.size_bytes + 63) & ~uint64_t{63};
    }
    write_tensor(reply, out);
  }
  return ok_status();
}

std::string FlatServer::Impl::run_reply(FlatVerb verb, axle_error_t* error, ContextHandle& context, const std::vector<uint32_t>& wanted,
                                        const FlatPlace& room) {
  FlatWriter reply(verb);
  write_error(reply, take(error));
  if (error != nullptr) return reply.take();
  if (Status status = write_outputs(reply, context, wanted, room); !status.ok()) return failed(verb, status);
  return reply.take();
}

std::string FlatServer::Impl::run(FlatReader& reader) {
  const FlatVerb verb = FlatVerb::kRun;
  const auto context = contexts.find(reader.u64());
  const uint32_t again = reader.u32();  // 1: only fetch the outputs of the last run once more, into a larger room
  const uint64_t profile = reader.u64();
  const auto cancel = cancel_flag(read_place(reader));
  const std::vector<uint32_t> wanted = reader.numbers<uint32_t>();
  const FlatPlace room = read_place(reader);
  if (!cancel.ok()) return failed(verb, cancel.status());
  if (Status status = reader.finish(); !status.ok()) return failed(verb, status);
  if (context == nullptr) return failed(verb, AXLE_NOT_FOUND, "no such context");
  const std::lock_guard lock(context->mutex);
  if (again != 0) return run_reply(verb, nullptr, *context, wanted, room);
  NoticeSink sink(notify, profile);
  RunProfile run_profile{&sink, -1, 0};
  const axle_run_args_t args{sizeof(axle_run_args_t), cancel->abi(), profile == 0 ? nullptr : &run_profile};
  return run_reply(verb, plugin->api().run(context->context, &args), *context, wanted, room);
}

std::string FlatServer::Impl::run_async(FlatReader& reader) {
  struct Pending {
    Impl* impl;
    std::shared_ptr<ContextHandle> context;
    uint64_t id;
    CancelHandle cancel;
    std::vector<uint32_t> wanted;
    FlatPlace room;
    axle_run_args_t args;
  };
  auto pending = std::make_unique<Pending>();
  pending->impl = this;
  pending->context = contexts.find(reader.u64());
  pending->id = reader.u64();
  const auto cancel = cancel_flag(read_place(reader));
  pending->wanted = reader.numbers<uint32_t>();
  pending->room = read_place(reader);
  if (!cancel.ok()) return failed(FlatVerb::kRunAsync, cancel.status());
  if (Status status = reader.finish(); !status.ok()) return failed(FlatVerb::kRunAsync, status);
  if (pending->context == nullptr) return failed(FlatVerb::kRunAsync, AXLE_NOT_FOUND, "no such context");
  if (plugin->api().run_async == nullptr) return failed(FlatVerb::kRunAsync, AXLE_UNIMPLEMENTED, "no asynchronous run");
  pending->cancel = *cancel;
  pending->args = {sizeof(axle_run_args_t), pending->cancel.abi(), nullptr};
  const auto done = [](void* user, axle_error_t* error) {
    const std::unique_ptr<Pending> finished(static_cast<Pending*>(user));
    const std::string reply = finished->impl->run_reply(FlatVerb::kRunAsync, error, *finished->context, finished->wanted, finished->room);
    finished->impl->notify(FlatWriter(FlatVerb::kDone).u64(finished->id).text(reply).take());
  };
  FlatWriter reply(FlatVerb::kRunAsync);
  Pending* const raw = pending.release();  // done's, unless the call fails
  const FlatError error = take(plugin->api().run_async(raw->context->context, &raw->args, done, raw));
  if (error.code != 0) delete raw;
  write_error(reply, error);
  return reply.take();
}

std::string FlatServer::Impl::serve(FlatReader& reader) {
  switch (reader.verb()) {
    case FlatVerb::kCreate: return create(reader);
    case FlatVerb::kDescribe: return describe(reader);
    case FlatVerb::kResources:
    case FlatVerb::kCapability: return answer(reader);
    case FlatVerb::kSupport: return support(reader);
    case FlatVerb::kCompile: return compile(reader);
    case FlatVerb::kLoad: return load(reader);
    case FlatVerb::kIo:
    case FlatVerb::kCounters: return executable_answer(reader);
    case FlatVerb::kContextCreate: return context_create(reader);
    case FlatVerb::kBindInput:
    case FlatVerb::kBindOutput: return bind(reader);
    case FlatVerb::kRun: return run(reader);
    case FlatVerb::kRunAsync: return run_async(reader);
    case FlatVerb::kDestroy: engines.remove(reader.u64()); break;
    case FlatVerb::kUnload: executables.remove(reader.u64()); break;
    case FlatVerb::kContextDestroy: contexts.remove(reader.u64()); break;
    case FlatVerb::kDetach: {
      const std::lock_guard lock(segments_mutex);
      segments.erase(reader.u32());
      break;
    }
    default: return failed(reader.verb(), AXLE_INVALID_ARGUMENT, "not a request");
  }
  FlatWriter reply(reader.verb());
  write_error(reply, {});
  return reply.take();
}

FlatServer::FlatServer(std::shared_ptr<const Plugin> plugin, std::function<void(std::string)> notify) : impl_(std::make_unique<Impl>()) {
  impl_->plugin = std::move(plugin);
  impl_->notify = std::move(notify);
}

FlatServer::~FlatServer() = default;

Status FlatServer::attach(std::span<const FlatAttachment> attachments) {
  const std::lock_guard lock(impl_->segments_mutex);
  for (const FlatAttachment& attachment : attachments) {
    if (attachment.segment == 0 || attachment.size_bytes > kMaxSegmentBytes || impl_->segments.size() >= kMaxHandles ||
        impl_->segments.count(attachment.segment) != 0) {
      return invalid_argument_error("engine message: segment that cannot be attached");
    }
    AXLE_ASSIGN_OR_RETURN(SharedMemory memory,
                          SharedMemory::adopt(UniqueFd(::dup(attachment.fd)), static_cast<size_t>(attachment.size_bytes), true));
    impl_->segments.emplace(attachment.segment, std::make_shared<SharedMemory>(std::move(memory)));
  }
  return ok_status();
}

std::string FlatServer::serve(std::string_view request) {
  FlatReader reader(request);
  if (!reader.ok()) return Impl::failed(FlatVerb::kDescribe, reader.finish());
  return impl_->serve(reader);
}

}  // namespace axle
