#include "engine/flat_client.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <thread>

#include "base/shared_memory.h"
#include "engine/flat_graph.h"
#include "engine/flat_message.h"
#include "engine/flat_server.h"
#include "engine/host_api.h"
#include "spec/engine_answers.h"

namespace axle {
namespace {

constexpr int32_t kString = static_cast<int32_t>(DataType::kString);
constexpr size_t kCancelSlots = 1024;

std::string_view view(axle_text_t text) noexcept { return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size); }

axle_error_t* to_error(FlatError error) { return reinterpret_cast<axle_error_t*>(new FlatError(std::move(error))); }
axle_error_t* to_error(const Status& status) {
  return status.ok() ? nullptr : to_error(FlatError{static_cast<int32_t>(status.code()), status.vendor_code(), 0, status.message(), status.hint()});
}

void give(std::string_view document, axle_buffer_t* out) {
  auto* owner = new std::string(document);
  *out = {owner->data(), owner->size(), owner};
}

// Memory shared with the engine, known there by number.
struct Segment {
  uint32_t id = 0;
  std::optional<SharedMemory> memory;
  size_t size_bytes() const { return memory ? memory->size_bytes() : 0; }
};

}  // namespace

struct FlatClient::Impl {
  std::shared_ptr<FlatChannel> channel;
  uint32_t slots = 0;
  std::atomic<uint32_t> last_segment{0};
  Segment control;  // cancel flags
  std::mutex mutex;
  std::vector<uint32_t> free_flags;
  uint64_t last_token = 0;
  std::map<uint64_t, void*> progress_tokens, profile_tokens;
  std::map<uint64_t, std::function<void(std::string_view reply)>> pending;

  // ---- talking ----
  // The reply after its error was read; `error` is what came back.
  struct Reply {
    std::string bytes;
    std::unique_ptr<FlatReader> reader;
    FlatError error;
  };
  Result<Reply> call(FlatWriter& request, std::span<const FlatAttachment> attachments = {}, const std::function<void()>& poll = nullptr) {
    Reply reply;
    AXLE_ASSIGN_OR_RETURN(reply.bytes, channel->call(request.take(), attachments, poll));
    reply.reader = std::make_unique<FlatReader>(reply.bytes);
    reply.error = read_error(*reply.reader);
    if (!reply.reader->ok()) return internal_error("the engine's process sent a malformed reply");
    return reply;
  }
  // For verbs whose reply is an error or nothing.
  axle_error_t* command(FlatWriter& request, std::span<const FlatAttachment> attachments = {}) {
    auto reply = call(request, attachments);
    if (!reply.ok()) return to_error(reply.status());
    return reply->error.code == 0 ? nullptr : to_error(std::move(reply->error));
  }
  axle_error_t* question(FlatWriter& request, axle_buffer_t* out, std::span<const FlatAttachment> attachments = {},
                         const std::function<void()>& poll = nullptr) {
    auto reply = call(request, attachments, poll);
    if (!reply.ok()) return to_error(reply.status());
    if (reply->error.code != 0) return to_error(std::move(reply->error));
    give(reply->reader->text(), out);
    return nullptr;
  }
  void forget(const char*, FlatVerb verb, uint64_t id) {
    FlatWriter request(verb);
    request.u64(id);
    (void)call(request);
  }

  // ---- memory ----
  Result<FlatAttachment> make_segment(Segment& segment, size_t size_bytes) {
    AXLE_ASSIGN_OR_RETURN(SharedMemory memory, SharedMemory::create("axle-flat", std::max<size_t>(size_bytes, 64)));
    segment.memory = std::move(memory);
    segment.id = ++last_segment;
    return FlatAttachment{segment.id, segment.memory->fd(), segment.memory->size_bytes()};
  }
  void detach(uint32_t segment) {
    if (segment == 0) return;
    FlatWriter request(FlatVerb::kDetach);
    request.u32(segment);
    (void)call(request);
  }

  // ---- cancel flags ----
  uint32_t take_flag() {
    const std::lock_guard lock(mutex);
    if (free_flags.empty()) return kCancelSlots;
    const uint32_t slot = free_flags.back();
    free_flags.pop_back();
    flag(slot).store(0, std::memory_order_release);
    return slot;
  }
  void return_flag(uint32_t slot) {
    const std::lock_guard lock(mutex);
    if (slot < kCancelSlots) free_flags.push_back(slot);
  }
  std::atomic<uint32_t>& flag(uint32_t slot) { return reinterpret_cast<std::atomic<uint32_t>*>(control.memory->data())[slot]; }

  uint64_t remember(std::map<uint64_t, void*>& tokens, void* token) {
    if (token == nullptr) return 0;
    const std::lock_guard lock(mutex);
    tokens[++last_token] = token;
    return last_token;
  }
  void drop(std::map<uint64_t, void*>& tokens, uint64_t id) {
    const std::lock_guard lock(mutex);
    tokens.erase(id);
  }

  void receive(const std::string& notice);
};

namespace {

using Impl = FlatClient::Impl;

// One caller's wish to stop, carried into shared memory while a call is under way.
class CancelBridge {
 public:
  CancelBridge(Impl& impl, const axle_cancel_t* cancel) : impl_(impl), cancel_(cancel) {
    if (cancel != nullptr) slot_ = impl.take_flag();
  }
  ~CancelBridge() { impl_.return_flag(slot_); }
  CancelBridge(const CancelBridge&) = delete;
  CancelBridge& operator=(const CancelBridge&) = delete;

  FlatPlace place() const {
    return slot_ < kCancelSlots ? FlatPlace{impl_.control.id, slot_ * sizeof(uint32_t), sizeof(uint32_t)} : FlatPlace{};
  }
  void poll() {
    if (slot_ < kCancelSlots && CancelHandle::of(cancel_).cancelled()) impl_.flag(slot_).store(1, std::memory_order_release);
  }

 private:
  Impl& impl_;
  const axle_cancel_t* cancel_;
  uint32_t slot_ = kCancelSlots;
};

struct ClientEngine {
  Impl* impl;
  uint64_t id;
};

struct ClientExecutable {
  Impl* impl;
  uint64_t id;
  EngineIo io;
};

struct ClientTensor {
  bool bound = false;
  axle_tensor_t tensor{};  // the caller's; its shape is the one below
  std::vector<int64_t> shape;
  Segment segment;
};

struct ClientContext {
  Impl* impl;
  const ClientExecutable* executable;
  uint64_t id;
  std::vector<ClientTensor> inputs, outputs;
  Segment room;                         // of outputs the engine allocates
  std::vector<FlatTensor> results;      // of the last run
  std::vector<FlatError> result_errors;
  std::vector<std::vector<axle_text_t>> result_texts;
  ~ClientContext() {
    for (auto* list : {&inputs, &outputs}) {
      for (ClientTensor& tensor : *list) impl->detach(tensor.segment.id);
    }
    impl->detach(room.id);
  }
};

ClientEngine& engine_of(axle_engine_t* engine) { return *reinterpret_cast<ClientEngine*>(engine); }
ClientExecutable& executable_of(axle_executable_t* executable) { return *reinterpret_cast<ClientExecutable*>(executable); }
ClientContext& context_of(axle_context_t* context) { return *reinterpret_cast<ClientContext*>(context); }

// ---- what needs no message ----

void error_info(const axle_error_t* error, axle_error_info_t* out) {
  const auto* body = reinterpret_cast<const FlatError*>(error);
  axle_error_info_t info{};
  info.struct_size = out->struct_size;
  info.code = body->code;
  info.vendor_code = body->vendor_code;
  info.message = {body->message.data(), body->message.size()};
  info.hint = {body->hint.data(), body->hint.size()};
  info.required_bytes = body->required_bytes;
  std::memcpy(out, &info, std::min(out->struct_size, sizeof(info)));
}
void release_error(axle_error_t* error) { delete reinterpret_cast<FlatError*>(error); }
void release_buffer(axle_buffer_t* buffer) {
  delete static_cast<std::string*>(buffer->owner);
  *buffer = {};
}

// ---- verbs of an engine ----

void destroy(axle_engine_t* handle) {
  const std::unique_ptr<ClientEngine> engine(&engine_of(handle));
  engine->impl->forget("engine", FlatVerb::kDestroy, engine->id);
}

axle_error_t* resources(axle_engine_t* handle, axle_buffer_t* out) {
  FlatWriter request(FlatVerb::kResources);
  request.u64(engine_of(handle).id);
  return engine_of(handle).impl->question(request, out);
}

axle_error_t* capability(axle_engine_t* handle, axle_text_t resource, axle_buffer_t* out) {
  FlatWriter request(FlatVerb::kCapability);
  request.u64(engine_of(handle).id).text(resource);
  return engine_of(handle).impl->question(request, out);
}

// The graph's weights in one segment that lives as long as this object (the other side keeps its own mapping).
class SharedGraph {
 public:
  explicit SharedGraph(Impl& impl) : impl_(impl) {}
  ~SharedGraph() { impl_.detach(segment_.id); }
  SharedGraph(const SharedGraph&) = delete;
  SharedGraph& operator=(const SharedGraph&) = delete;

  Status write(FlatWriter& writer, const axle_graph_t* graph) {
    return write_graph(writer, GraphView::of(graph), [this](const Graph& g) { return place(g); });
  }
  std::vector<FlatAttachment> attachments;

 private:
  Result<std::vector<FlatPlace>> place(const Graph& graph) {
    std::vector<FlatPlace> places;
    uint64_t total = 0;
    for (const auto& weight : graph.weights) {
      places.push_back({0, total, weight->bytes.size()});
      total += (weight->bytes.size() + 63) & ~uint64_t{63};
    }
    if (total == 0) return places;
    AXLE_ASSIGN_OR_RETURN(const FlatAttachment attachment, impl_.make_segment(segment_, total));
    attachments.push_back(attachment);
    for (size_t i = 0; i < places.size(); ++i) {
      places[i].segment = segment_.id;
      if (places[i].size_bytes > 0) std::memcpy(segment_.memory->data() + places[i].offset, graph.weights[i]->bytes.data(), places[i].size_bytes);
    }
    return places;
  }
  Impl& impl_;
  Segment segment_;
};

axle_error_t* support(axle_engine_t* handle, const axle_support_args_t* args, axle_buffer_t* out) {
  Impl& impl = *engine_of(handle).impl;
  CancelBridge cancel(impl, args->cancel);
  SharedGraph graph(impl);
  FlatWriter request(FlatVerb::kSupport);
  request.u64(engine_of(handle).id).text(args->resource).text(args->precision).options(args->options, args->option_count);
  request.text(args->scratch_folder);
  write_place(request, cancel.place());
  if (Status status = graph.write(request, args->graph); !status.ok()) return to_error(status);
  return impl.question(request, out, graph.attachments, [&] { cancel.poll(); });
}

axle_error_t* compile(axle_engine_t* handle, const axle_compile_args_t* args, axle_buffer_t* out) {
  Impl& impl = *engine_of(handle).impl;
  CancelBridge cancel(impl, args->cancel);
  SharedGraph graph(impl);
  const uint64_t progress = impl.remember(impl.progress_tokens, args->progress);
  FlatWriter request(FlatVerb::kCompile);
  request.u64(engine_of(handle).id).text(args->resource).text(args->precision).options(args->options, args->option_count);
  request.text(args->scratch_folder).i32(args->threads).u64(progress);
  write_place(request, cancel.place());
  if (Status status = graph.write(request, args->graph); !status.ok()) return to_error(status);
  axle_error_t* error = impl.question(request, out, graph.attachments, [&] { cancel.poll(); });
  impl.drop(impl.progress_tokens, progress);
  return error;
}

Status write_blobs(Impl& impl, FlatWriter& request, const axle_load_args_t& args, std::vector<Segment>& segments, std::vector<FlatAttachment>& attachments) {
  request.u64(args.blob_count);
  for (size_t i = 0; i < args.blob_count; ++i) {
    const axle_blob_t& blob = args.blobs[i];
    FlatPlace place;
    if (blob.data.size > 0) {
      AXLE_ASSIGN_OR_RETURN(const FlatAttachment attachment, impl.make_segment(segments.emplace_back(), blob.data.size));
      attachments.push_back(attachment);
      std::memcpy(segments.back().memory->data(), blob.data.data, blob.data.size);
      place = {segments.back().id, 0, blob.data.size};
    }
    request.text(blob.name).text(blob.path);
    write_place(request, place);
  }
  return ok_status();
}

axle_error_t* load(axle_engine_t* handle, const axle_load_args_t* args, axle_executable_t** out, axle_buffer_t* effective) {
  Impl& impl = *engine_of(handle).impl;
  CancelBridge cancel(impl, args->cancel);
  SharedGraph graph(impl);
  std::vector<Segment> blobs;
  const uint64_t progress = impl.remember(impl.progress_tokens, args->progress);
  FlatWriter request(FlatVerb::kLoad);
  request.u64(engine_of(handle).id).text(args->resource).text(args->precision).options(args->options, args->option_count);
  request.text(args->scratch_folder).i32(args->threads).i32(args->spin);
  request.numbers<int32_t>(std::span<const int32_t>(args->cpu_set, args->cpu_count)).u64(progress);
  write_place(request, cancel.place());
  if (Status status = write_blobs(impl, request, *args, blobs, graph.attachments); !status.ok()) return to_error(status);
  request.u32(args->graph != nullptr ? 1 : 0);
  if (args->graph != nullptr) {
    if (Status status = graph.write(request, args->graph); !status.ok()) return to_error(status);
  }
  auto reply = impl.call(request, graph.attachments, [&] { cancel.poll(); });
  impl.drop(impl.progress_tokens, progress);
  for (const Segment& segment : blobs) impl.detach(segment.id);
  if (!reply.ok()) return to_error(reply.status());
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  give(reply->reader->text(), effective);
  auto made = std::make_unique<ClientExecutable>(ClientExecutable{&impl, reply->reader->u64(), {}});
  FlatWriter ask(FlatVerb::kIo);
  ask.u64(made->id);
  auto io = impl.call(ask);
  if (io.ok() && io->error.code == 0) {
    // A malformed answer is the caller's to find: it asks io itself.
    if (auto parsed = parse_engine_io(io->reader->text()); parsed.ok()) made->io = *std::move(parsed);
  }
  *out = reinterpret_cast<axle_executable_t*>(made.release());
  return nullptr;
}

// ---- verbs of an executable ----

void unload(axle_executable_t* handle) {
  const std::unique_ptr<ClientExecutable> executable(&executable_of(handle));
  executable->impl->forget("executable", FlatVerb::kUnload, executable->id);
}

axle_error_t* io(axle_executable_t* handle, axle_buffer_t* out) {
  FlatWriter request(FlatVerb::kIo);
  request.u64(executable_of(handle).id);
  return executable_of(handle).impl->question(request, out);
}

axle_error_t* counters(axle_executable_t* handle, axle_buffer_t* out) {
  FlatWriter request(FlatVerb::kCounters);
  request.u64(executable_of(handle).id);
  return executable_of(handle).impl->question(request, out);
}

axle_error_t* context_create(axle_executable_t* handle, axle_context_t** out) {
  ClientExecutable& executable = executable_of(handle);
  FlatWriter request(FlatVerb::kContextCreate);
  request.u64(executable.id);
  auto reply = executable.impl->call(request);
  if (!reply.ok()) return to_error(reply.status());
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  auto made = std::make_unique<ClientContext>();
  made->impl = executable.impl;
  made->executable = &executable;
  made->id = reply->reader->u64();
  made->inputs.resize(executable.io.inputs.size());
  made->outputs.resize(executable.io.outputs.size());
  *out = reinterpret_cast<axle_context_t*>(made.release());
  return nullptr;
}

void context_destroy(axle_context_t* handle) {
  const std::unique_ptr<ClientContext> context(&context_of(handle));
  context->impl->forget("context", FlatVerb::kContextDestroy, context->id);
}

// The message of bind: where the engine finds the bytes, or the texts themselves.
FlatTensor flat_tensor(const axle_tensor_t& tensor, uint32_t segment) {
  FlatTensor out;
  out.dtype = tensor.dtype;
  if (tensor.shape != nullptr) out.shape.assign(tensor.shape, tensor.shape + std::max(0, tensor.rank));
  if (out.dtype == kString) {
    const auto* texts = static_cast<const axle_text_t*>(tensor.data);
    for (size_t i = 0; i < tensor.size_bytes / sizeof(axle_text_t); ++i) out.texts.emplace_back(view(texts[i]));
  } else if (tensor.data != nullptr && tensor.size_bytes > 0) {
    out.place = {segment, 0, tensor.size_bytes};  // a tensor without bytes lies nowhere: the engine's own checks speak
  }
  return out;
}

axle_error_t* bind(FlatVerb verb, ClientContext& context, std::vector<ClientTensor>& list, uint32_t index, const axle_tensor_t* tensor) {
  FlatWriter request(verb);
  request.u64(context.id).u32(index).u32(tensor == nullptr ? 0 : 1);
  if (tensor == nullptr || index >= list.size()) {
    if (tensor != nullptr) write_tensor(request, {});
    axle_error_t* error = context.impl->command(request);
    if (error == nullptr && index < list.size()) list[index].bound = false;
    return error;
  }
  ClientTensor& bound = list[index];
  Segment fresh;  // what was bound before stays until the engine has accepted the new
  std::vector<FlatAttachment> attachments;
  if (tensor->dtype != kString && tensor->size_bytes > bound.segment.size_bytes()) {
    const auto attachment = context.impl->make_segment(fresh, tensor->size_bytes);
    if (!attachment.ok()) return to_error(attachment.status());
    attachments.push_back(*attachment);
  }
  Segment& place = fresh.memory ? fresh : bound.segment;
  write_tensor(request, flat_tensor(*tensor, place.id));
  if (axle_error_t* error = context.impl->command(request, attachments)) {
    context.impl->detach(fresh.id);
    return error;
  }
  if (fresh.memory) {
    context.impl->detach(bound.segment.id);
    bound.segment = std::move(fresh);
  }
  std::vector<int64_t> shape(tensor->shape, tensor->shape + std::max(0, tensor->rank));  // may be the one held already
  bound.bound = true;
  bound.tensor = *tensor;
  bound.shape = std::move(shape);
  bound.tensor.shape = bound.shape.data();
  return nullptr;
}

axle_error_t* bind_input(axle_context_t* handle, uint32_t index, const axle_tensor_t* tensor) {
  return bind(FlatVerb::kBindInput, context_of(handle), context_of(handle).inputs, index, tensor);
}
axle_error_t* bind_output(axle_context_t* handle, uint32_t index, const axle_tensor_t* tensor) {
  return bind(FlatVerb::kBindOutput, context_of(handle), context_of(handle).outputs, index, tensor);
}

// Inputs as they are now: the caller may have written since bind. Strings travel again inside a message.
axle_error_t* send_inputs(ClientContext& context) {
  for (uint32_t i = 0; i < context.inputs.size(); ++i) {
    ClientTensor& input = context.inputs[i];
    if (!input.bound) continue;
    if (input.tensor.dtype == kString) {
      const axle_tensor_t again = input.tensor;
      if (axle_error_t* error = bind(FlatVerb::kBindInput, context, context.inputs, i, &again)) return error;
    } else if (input.tensor.size_bytes > 0 && input.tensor.data != nullptr) {
      std::memcpy(input.segment.memory->data(), input.tensor.data, input.tensor.size_bytes);
    }
  }
  return nullptr;
}

std::vector<uint32_t> all_outputs(const ClientContext& context) {
  std::vector<uint32_t> wanted;
  for (uint32_t i = 0; i < context.outputs.size(); ++i) wanted.push_back(i);
  return wanted;
}

// Bytes that did not fit into the room; 0 = all here.
uint64_t read_results(ClientContext& context, FlatReader& reader) {
  const size_t count = reader.count(4);
  context.results.assign(count, {});
  context.result_errors.assign(count, {});
  context.result_texts.assign(count, {});
  uint64_t missing = 0;
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    context.result_errors[i] = read_error(reader);
    if (context.result_errors[i].code != 0) continue;
    context.results[i] = read_tensor(reader);
    const FlatTensor& result = context.results[i];
    for (const std::string& text : result.texts) context.result_texts[i].push_back({text.data(), text.size()});
    const bool bound = i < context.outputs.size() && context.outputs[i].bound;
    if (!bound && result.dtype != kString && result.place.segment == 0) missing += (result.place.size_bytes + 63) & ~uint64_t{63};
    if (bound && result.place.size_bytes > 0) {
      const ClientTensor& to = context.outputs[i];
      std::memcpy(to.tensor.data, to.segment.memory->data(), std::min<uint64_t>(result.place.size_bytes, to.tensor.size_bytes));
    }
  }
  return missing;
}

FlatPlace room_of(const ClientContext& context) {
  return context.room.memory ? FlatPlace{context.room.id, 0, context.room.size_bytes()} : FlatPlace{};
}

// Makes the room larger and fetches the outputs again.
axle_error_t* fetch_again(ClientContext& context, uint64_t missing) {
  Impl& impl = *context.impl;
  const uint32_t old = context.room.id;
  const auto attachment = impl.make_segment(context.room, context.room.size_bytes() + missing);
  if (!attachment.ok()) return to_error(attachment.status());
  FlatWriter request(FlatVerb::kRun);
  request.u64(context.id).u32(1).u64(0);
  write_place(request, {});
  request.numbers<uint32_t>(all_outputs(context));
  write_place(request, room_of(context));
  auto reply = impl.call(request, std::span(&*attachment, 1));
  impl.detach(old);
  if (!reply.ok()) return to_error(reply.status());
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  read_results(context, *reply->reader);
  return nullptr;
}

axle_error_t* finish_run(ClientContext& context, FlatReader& reader) {
  const uint64_t missing = read_results(context, reader);
  if (!reader.ok()) return to_error(internal_error("the engine's process sent a malformed reply"));
  return missing == 0 ? nullptr : fetch_again(context, missing);
}

axle_error_t* run(axle_context_t* handle, const axle_run_args_t* args) {
  ClientContext& context = context_of(handle);
  Impl& impl = *context.impl;
  if (axle_error_t* error = send_inputs(context)) return error;
  CancelBridge cancel(impl, args == nullptr ? nullptr : args->cancel);
  cancel.poll();
  const uint64_t profile = impl.remember(impl.profile_tokens, args == nullptr ? nullptr : args->profile);
  FlatWriter request(FlatVerb::kRun);
  request.u64(context.id).u32(0).u64(profile);
  write_place(request, cancel.place());
  request.numbers<uint32_t>(all_outputs(context));
  write_place(request, room_of(context));
  auto reply = impl.call(request, {}, [&] { cancel.poll(); });
  impl.drop(impl.profile_tokens, profile);
  if (!reply.ok()) return to_error(reply.status());
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  return finish_run(context, *reply->reader);
}

axle_error_t* output(axle_context_t* handle, uint32_t index, axle_tensor_t* out) {
  ClientContext& context = context_of(handle);
  if (index >= context.outputs.size()) return to_error(invalid_argument_error("there is no output " + std::to_string(index)));
  if (index >= context.results.size()) return to_error(failed_precondition_error("output before the first run"));
  if (context.result_errors[index].code != 0) return to_error(context.result_errors[index]);
  FlatTensor& result = context.results[index];
  axle_tensor_t tensor{};
  tensor.struct_size = out->struct_size;
  tensor.dtype = result.dtype;
  tensor.rank = static_cast<int32_t>(result.shape.size());
  tensor.shape = result.shape.data();
  tensor.size_bytes = result.place.size_bytes;
  if (result.dtype == kString) {
    tensor.data = context.result_texts[index].data();
  } else if (context.outputs[index].bound) {
    tensor.data = context.outputs[index].tensor.data;
  } else if (result.place.segment != 0) {
    tensor.data = context.room.memory->data() + result.place.offset;
  }
  std::memcpy(out, &tensor, std::min(out->struct_size, sizeof(tensor)));
  return nullptr;
}

axle_error_t* run_async(axle_context_t* handle, const axle_run_args_t* args, axle_done_t done, void* user) {
  ClientContext& context = context_of(handle);
  Impl& impl = *context.impl;
  if (axle_error_t* error = send_inputs(context)) return error;
  auto cancel = std::make_shared<CancelBridge>(impl, args == nullptr ? nullptr : args->cancel);
  auto finished = std::make_shared<std::atomic<bool>>(false);
  uint64_t id = 0;
  {
    const std::lock_guard lock(impl.mutex);
    id = ++impl.last_token;
    // Fetching outputs again needs the channel, which must not be called from its own thread.
    impl.pending[id] = [&context, cancel, finished, done, user](std::string_view reply) {
      std::thread([&context, cancel, finished, done, user, bytes = std::string(reply)] {
        FlatReader reader(bytes);
        FlatError error = read_error(reader);
        finished->store(true);
        done(user, error.code != 0 ? to_error(std::move(error)) : finish_run(context, reader));
      }).detach();
    };
  }
  FlatWriter request(FlatVerb::kRunAsync);
  request.u64(context.id).u64(id);
  write_place(request, cancel->place());
  request.numbers<uint32_t>(all_outputs(context));
  write_place(request, room_of(context));
  if (axle_error_t* error = impl.command(request)) {
    const std::lock_guard lock(impl.mutex);
    impl.pending.erase(id);
    return error;
  }
  if (cancel->place().segment != 0) {
    std::thread([cancel, finished] {
      while (!finished->load()) {
        cancel->poll();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }).detach();
  }
  return nullptr;
}

}  // namespace

void FlatClient::Impl::receive(const std::string& notice) {
  FlatReader reader(notice);
  const axle_host_api_t& host = *host_api();
  const FlatVerb verb = reader.verb();
  const uint64_t token = reader.u64();
  if (verb == FlatVerb::kProgress) {
    const uint64_t done = reader.u64(), total = reader.u64();
    const axle_text_t what = reader.abi_text();
    const std::lock_guard lock(mutex);
    const auto found = progress_tokens.find(token);
    if (reader.ok() && found != progress_tokens.end()) host.progress(host.host, found->second, done, total, what);
  } else if (verb == FlatVerb::kTrace) {
    axle_trace_event_t event{};
    event.struct_size = sizeof(event);
    event.name = reader.abi_text();
    event.category = reader.abi_text();
    event.start_ns = reader.i64();
    event.duration_ns = reader.i64();
    event.arguments = reader.abi_text();
    const std::lock_guard lock(mutex);
    const auto found = profile_tokens.find(token);
    if (!reader.ok() || found == profile_tokens.end()) return;
    event.profile = found->second;
    host.trace(host.host, &event);
  } else if (verb == FlatVerb::kDone) {
    const std::string reply(reader.text());
    std::function<void(std::string_view)> finish;
    {
      const std::lock_guard lock(mutex);
      const auto found = pending.find(token);
      if (found == pending.end()) return;
      finish = std::move(found->second);
      pending.erase(found);
    }
    finish(reply);
  }
}

FlatClient::FlatClient(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
FlatClient::~FlatClient() = default;

Result<std::shared_ptr<FlatClient>> FlatClient::create(std::shared_ptr<FlatChannel> channel) {
  auto impl = std::make_unique<Impl>();
  impl->channel = std::move(channel);
  impl->channel->on_notice([raw = impl.get()](const std::string& notice) { raw->receive(notice); });
  AXLE_ASSIGN_OR_RETURN(const FlatAttachment control, impl->make_segment(impl->control, kCancelSlots * sizeof(uint32_t)));
  for (uint32_t slot = 0; slot < kCancelSlots; ++slot) impl->free_flags.push_back(slot);
  FlatWriter request(FlatVerb::kDescribe);
  request.u64(0);
  AXLE_ASSIGN_OR_RETURN(auto reply, impl->call(request, std::span(&control, 1)));
  if (reply.error.code != 0) return unavailable_error("the engine's process does not describe itself: " + reply.error.message);
  (void)reply.reader->text();
  impl->slots = reply.reader->u32();
  return std::shared_ptr<FlatClient>(new FlatClient(std::move(impl)));
}

axle_error_t* FlatClient::create_engine(const axle_create_args_t* args, axle_engine_t** out) {
  FlatWriter request(FlatVerb::kCreate);
  request.text(args->library_path).u64(args->search_folder_count);
  for (size_t i = 0; i < args->search_folder_count; ++i) request.text(args->search_folders[i]);
  request.options(args->options, args->option_count).text(args->scratch_folder);
  auto reply = impl_->call(request);
  if (!reply.ok()) return to_error(reply.status());
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  *out = reinterpret_cast<axle_engine_t*>(new ClientEngine{impl_.get(), reply->reader->u64()});
  return nullptr;
}

axle_error_t* FlatClient::describe_engine(axle_engine_t* engine, axle_buffer_t* out) {
  FlatWriter request(FlatVerb::kDescribe);
  request.u64(engine == nullptr ? 0 : engine_of(engine).id);
  return impl_->question(request, out);
}

axle_engine_api_t FlatClient::table() const {
  axle_engine_api_t table{};
  table.struct_size = sizeof(table);
  table.abi_version = AXLE_ENGINE_ABI_VERSION;
  table.error_info = &error_info;
  table.release_error = &release_error;
  table.release_buffer = &release_buffer;
  table.destroy = &destroy;
  table.resources = &resources;
  table.capability = &capability;
  table.support = &support;
  table.compile = (impl_->slots & kSlotCompile) != 0 ? &compile : nullptr;
  table.load = &load;
  table.unload = &unload;
  table.io = &io;
  table.context_create = &context_create;
  table.context_destroy = &context_destroy;
  table.bind_input = &bind_input;
  table.bind_output = &bind_output;
  table.run = &run;
  table.output = &output;
  table.run_async = (impl_->slots & kSlotRunAsync) != 0 ? &run_async : nullptr;
  table.counters = (impl_->slots & kSlotCounters) != 0 ? &counters : nullptr;
  return table;
}

}  // namespace axle
