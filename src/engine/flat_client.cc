#include "engine/blob_file.h"
#include "engine/flat_client_impl.h"

#include <sched.h>

#include <cstring>

namespace axle {
namespace flat {
namespace {

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
  engine->impl->forget(FlatVerb::kDestroy, engine->id, engine->life);
}

axle_error_t* resources(axle_engine_t* handle, axle_buffer_t* out) {
  if (Status status = revive(engine_of(handle)); !status.ok()) return to_error(status);
  FlatWriter request(FlatVerb::kResources);
  request.u64(engine_of(handle).id);
  return engine_of(handle).impl->question(request, engine_of(handle).life, out);
}

axle_error_t* capability(axle_engine_t* handle, axle_text_t resource, axle_buffer_t* out) {
  if (Status status = revive(engine_of(handle)); !status.ok()) return to_error(status);
  FlatWriter request(FlatVerb::kCapability);
  request.u64(engine_of(handle).id).text(resource);
  return engine_of(handle).impl->question(request, engine_of(handle).life, out);
}

// The graph's weights in one segment that lives as long as this object (the other side keeps its own mapping).
class SharedGraph {
 public:
  SharedGraph(Impl& impl, uint32_t life) : impl_(impl), life_(life) {}
  ~SharedGraph() { impl_.detach(segment_); }
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
    AXLE_ASSIGN_OR_RETURN(const FlatAttachment attachment, impl_.make_segment(segment_, total, life_));
    attachments.push_back(attachment);
    for (size_t i = 0; i < places.size(); ++i) {
      places[i].segment = segment_.id;
      if (places[i].size_bytes > 0)
        std::memcpy(segment_.memory->data() + places[i].offset, graph.weights[i]->bytes.data(), places[i].size_bytes);
    }
    return places;
  }
  Impl& impl_;
  const uint32_t life_;
  Segment segment_;
};

axle_error_t* support(axle_engine_t* handle, const axle_support_args_t* args, axle_buffer_t* out) {
  Impl& impl = *engine_of(handle).impl;
  if (Status status = revive(engine_of(handle)); !status.ok()) return to_error(status);
  CancelBridge cancel(impl, args->cancel);
  const uint32_t life = engine_of(handle).life;
  SharedGraph graph(impl, life);
  FlatWriter request(FlatVerb::kSupport);
  request.u64(engine_of(handle).id).text(args->resource).text(args->precision).options(args->options, args->option_count);
  request.text(args->scratch_folder);
  write_place(request, cancel.place());
  if (Status status = graph.write(request, args->graph); !status.ok()) return to_error(status);
  return impl.judged(impl.question(request, life, out, graph.attachments, cancel.poller()));
}

axle_error_t* compile(axle_engine_t* handle, const axle_compile_args_t* args, axle_buffer_t* out) {
  Impl& impl = *engine_of(handle).impl;
  if (Status status = revive(engine_of(handle)); !status.ok()) return to_error(status);
  CancelBridge cancel(impl, args->cancel);
  const uint32_t life = engine_of(handle).life;
  SharedGraph graph(impl, life);
  const uint64_t progress = impl.remember(impl.progress_tokens, args->progress);
  FlatWriter request(FlatVerb::kCompile);
  request.u64(engine_of(handle).id).text(args->resource).text(args->precision).options(args->options, args->option_count);
  request.text(args->scratch_folder).i32(args->threads).u64(progress);
  write_place(request, cancel.place());
  if (Status status = graph.write(request, args->graph); !status.ok()) return to_error(status);
  axle_error_t* error = impl.judged(impl.question(request, life, out, graph.attachments, cancel.poller()));
  impl.drop(impl.progress_tokens, progress);
  return error;
}

std::vector<std::pair<std::string, std::string>> copy_of(const axle_option_t* options, size_t count) {
  std::vector<std::pair<std::string, std::string>> copy;
  for (size_t i = 0; i < count; ++i) copy.emplace_back(view(options[i].key), view(options[i].value));
  return copy;
}

LoadRecord record_of(const axle_load_args_t& args) {
  LoadRecord record;
  record.resource = view(args.resource);
  record.precision = view(args.precision);
  record.options = copy_of(args.options, args.option_count);
  record.threads = args.threads;
  record.spin = args.spin;
  record.cpu_set.assign(args.cpu_set, args.cpu_set + args.cpu_count);
  for (size_t i = 0; i < args.blob_count; ++i) {
    const axle_blob_t& blob = args.blobs[i];
    record.blobs.push_back({std::string(view(blob.name)), std::string(view(blob.path)), view(blob.data)});
  }
  record.graph = args.graph;
  return record;
}

// Beside the engine's there is one for the caller: then both may wait actively.
bool leaves_a_cpu(const std::vector<int32_t>& cpu_set) {
  cpu_set_t ours;
  if (cpu_set.empty() || ::sched_getaffinity(0, sizeof(ours), &ours) != 0) return false;
  for (const int32_t cpu : cpu_set) {
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_CLR(cpu, &ours);
  }
  return CPU_COUNT(&ours) > 0;
}

void write_options(FlatWriter& request, const std::vector<std::pair<std::string, std::string>>& options) {
  request.u64(options.size());
  for (const auto& [key, value] : options) request.text(key).text(value);
}

// Each blob's bytes in a segment of its own, which the other side may keep: the file that they lie in, else a copy.
Status write_blobs(Impl& impl, uint32_t life, FlatWriter& request, const LoadRecord& record, std::vector<Segment>& segments,
                   std::vector<FlatAttachment>& attachments) {
  request.u64(record.blobs.size());
  for (const LoadRecord::Blob& blob : record.blobs) {
    FlatPlace place;
    if (!blob.data.empty()) {
      Segment& segment = segments.emplace_back();
      segment.memory = file_of(blob.path, blob.data);
      if (segment.memory) {
        attachments.push_back(impl.name_file(segment, life));
      } else {
        AXLE_ASSIGN_OR_RETURN(const FlatAttachment attachment, impl.make_segment(segment, blob.data.size(), life));
        attachments.push_back(attachment);
        std::memcpy(segment.memory->data(), blob.data.data(), blob.data.size());
      }
      place = {segment.id, 0, blob.data.size()};
    }
    request.text(blob.name).text(blob.path);
    write_place(request, place);
  }
  return ok_status();
}

axle_error_t* load(axle_engine_t* handle, const axle_load_args_t* args, axle_executable_t** out, axle_buffer_t* effective) {
  ClientEngine& engine = engine_of(handle);
  if (Status status = revive(engine); !status.ok()) return to_error(status);
  auto made = std::make_unique<ClientExecutable>();
  made->impl = engine.impl;
  made->engine = &engine;
  made->record = record_of(*args);
  engine.impl->channel->allow_spin(args->spin != 0 && leaves_a_cpu(made->record.cpu_set));
  auto answer = load_as_recorded(*made, args->scratch_folder, args->cancel, args->progress);
  if (!answer.ok()) return to_error(answer.status());
  // A malformed answer is the caller's to find: it reads this one and asks io itself.
  if (auto parsed = parse_effective(*answer); parsed.ok()) made->effective = *std::move(parsed);
  FlatWriter ask(FlatVerb::kIo);
  ask.u64(made->id);
  axle_buffer_t io{};
  // Without its inputs and outputs it could never run, however often the process is started anew.
  if (axle_error_t* error = engine.impl->judged(engine.impl->question(ask, made->life, &io))) {
    engine.impl->forget(FlatVerb::kUnload, made->id, made->life);
    return error;
  }
  if (auto parsed = parse_engine_io({io.data, io.size}); parsed.ok()) made->io = *std::move(parsed);
  release_buffer(&io);
  give(*answer, effective);
  *out = reinterpret_cast<axle_executable_t*>(made.release());
  return nullptr;
}

// ---- verbs of an executable ----

void unload(axle_executable_t* handle) {
  const std::unique_ptr<ClientExecutable> executable(&executable_of(handle));
  executable->impl->forget(FlatVerb::kUnload, executable->id, executable->life);
}

axle_error_t* io(axle_executable_t* handle, axle_buffer_t* out) {
  if (Status status = revive(executable_of(handle)); !status.ok()) return to_error(status);
  FlatWriter request(FlatVerb::kIo);
  request.u64(executable_of(handle).id);
  return executable_of(handle).impl->question(request, executable_of(handle).life, out);
}

axle_error_t* counters(axle_executable_t* handle, axle_buffer_t* out) {
  // Not a reason to start a process anew, whose counts would be of no run.
  const uint32_t life = executable_of(handle).life;
  if (life != executable_of(handle).impl->channel->life())
    return to_error(unavailable_error("the engine's process is gone, and its counts with it"));
  FlatWriter request(FlatVerb::kCounters);
  request.u64(executable_of(handle).id);
  return executable_of(handle).impl->question(request, life, out);
}

}  // namespace

Status create_again(ClientEngine& engine) {
  FlatWriter request(FlatVerb::kCreate);
  request.text(engine.library_path).u64(engine.search_folders.size());
  for (const std::string& folder : engine.search_folders) request.text(folder);
  write_options(request, engine.options);
  request.text(engine.scratch_folder);
  const uint32_t now = engine.impl->channel->life();
  AXLE_ASSIGN_OR_RETURN(auto reply, engine.impl->call(request, now));
  if (reply.error.code != 0) return to_status(std::move(reply.error));
  engine.id = reply.reader->u64();
  engine.life = now;
  return ok_status();
}

Result<std::string> load_as_recorded(ClientExecutable& executable, axle_text_t scratch_folder, const axle_cancel_t* cancel,
                                     void* progress) {
  Impl& impl = *executable.impl;
  const LoadRecord& record = executable.record;
  const uint32_t life = executable.engine->life;
  CancelBridge bridge(impl, cancel);
  SharedGraph graph(impl, life);
  std::vector<Segment> blobs;
  const uint64_t token = impl.remember(impl.progress_tokens, progress);
  FlatWriter request(FlatVerb::kLoad);
  request.u64(executable.engine->id).text(record.resource).text(record.precision);
  write_options(request, record.options);
  request.text(scratch_folder).i32(record.threads).i32(record.spin).numbers<int32_t>(record.cpu_set).u64(token);
  write_place(request, bridge.place());
  AXLE_RETURN_IF_ERROR(write_blobs(impl, life, request, record, blobs, graph.attachments));
  request.u32(record.graph != nullptr ? 1 : 0);
  if (record.graph != nullptr) AXLE_RETURN_IF_ERROR(graph.write(request, record.graph));
  auto reply = impl.call(request, life, graph.attachments, bridge.poller());
  impl.drop(impl.progress_tokens, token);
  for (const Segment& segment : blobs) impl.detach(segment);
  if (!reply.ok()) return bridge.judge(reply.status());
  if (reply->error.code != 0) return to_status(std::move(reply->error));
  std::string answer(reply->reader->text());
  executable.id = reply->reader->u64();
  executable.life = life;
  return answer;
}

}  // namespace flat

// Asynchronous runs that the other side will not end any more.
void FlatClient::Impl::fail_pending() {
  std::map<uint64_t, std::function<void(std::string_view)>> lost;
  {
    const std::lock_guard lock(mutex);
    lost.swap(pending);
  }
  FlatWriter reply(FlatVerb::kRunAsync);
  write_error(reply, {AXLE_UNAVAILABLE, 0, 0, "the engine's process ended during the run", ""});
  const std::string bytes = reply.take();
  for (const auto& [id, finish] : lost) finish(bytes);
}

void FlatClient::Impl::receive(const std::string& notice) {
  if (notice.empty()) return fail_pending();
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

Status FlatClient::Impl::attach(std::shared_ptr<FlatChannel> to) {
  channel = std::move(to);
  channel->on_notice([this](const std::string& notice) { receive(notice); });
  AXLE_RETURN_IF_ERROR(make_segment(control, flat::kCancelSlots * sizeof(uint32_t), channel->life()).status());
  for (uint32_t slot = 0; slot < flat::kCancelSlots; ++slot) free_flags.push_back(slot);
  return ok_status();
}

Result<std::shared_ptr<FlatClient>> FlatClient::create(std::shared_ptr<FlatChannel> channel) {
  auto impl = std::make_unique<Impl>();
  AXLE_RETURN_IF_ERROR(impl->attach(std::move(channel)));
  AXLE_RETURN_IF_ERROR(impl->introduce());
  return std::shared_ptr<FlatClient>(new FlatClient(std::move(impl)));
}

axle_error_t* FlatClient::create_engine(const axle_create_args_t* args, axle_engine_t** out) {
  auto engine = std::make_unique<flat::ClientEngine>();
  engine->impl = impl_.get();
  engine->library_path = flat::view(args->library_path);
  engine->scratch_folder = flat::view(args->scratch_folder);
  for (size_t i = 0; i < args->search_folder_count; ++i)
    engine->search_folders.emplace_back(flat::view(args->search_folders[i]));
  engine->options = flat::copy_of(args->options, args->option_count);
  if (!impl_->asleep) {
    if (Status status = flat::create_again(*engine); !status.ok()) return flat::to_error(status);
  }
  *out = reinterpret_cast<axle_engine_t*>(engine.release());
  return nullptr;
}

uint32_t FlatClient::restarts() const noexcept { return impl_->restarts; }
uint64_t FlatClient::copied_bytes() const noexcept { return impl_->copied_bytes; }

axle_error_t* FlatClient::describe_engine(axle_engine_t* engine, axle_buffer_t* out) {
  if (engine != nullptr) {
    if (Status status = flat::revive(flat::engine_of(engine)); !status.ok()) return flat::to_error(status);
  }
  FlatWriter request(FlatVerb::kDescribe);
  request.u64(engine == nullptr ? 0 : flat::engine_of(engine).id);
  return impl_->question(request, engine == nullptr ? 0 : flat::engine_of(engine).life, out);
}

axle_engine_api_t FlatClient::table() const {
  axle_engine_api_t table{};
  table.struct_size = sizeof(table);
  table.abi_version = AXLE_ENGINE_ABI_VERSION;
  table.error_info = &flat::error_info;
  table.release_error = &flat::release_error;
  table.release_buffer = &flat::release_buffer;
  table.destroy = &flat::destroy;
  table.resources = &flat::resources;
  table.capability = &flat::capability;
  table.support = &flat::support;
  table.compile = (impl_->slots & kSlotCompile) != 0 ? &flat::compile : nullptr;
  table.load = &flat::load;
  table.unload = &flat::unload;
  table.io = &flat::io;
  table.context_create = &flat::context_create;
  table.context_destroy = &flat::context_destroy;
  table.bind_input = &flat::bind_input;
  table.bind_output = &flat::bind_output;
  table.run = &flat::run;
  table.output = &flat::output;
  table.run_async = (impl_->slots & kSlotRunAsync) != 0 ? &flat::run_async : nullptr;
  table.counters = (impl_->slots & kSlotCounters) != 0 ? &flat::counters : nullptr;
  return table;
}

}  // namespace axle
