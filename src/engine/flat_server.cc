#include "engine/flat_server_impl.h"

#include <fcntl.h>

#include <cerrno>

#include "base/errno_status.h"

namespace axle {

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
  auto handle = std::make_shared<flat::EngineHandle>();
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
  auto made = std::make_shared<flat::ExecutableHandle>();
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
  axle_error_t* error = verb == FlatVerb::kIo ? plugin->api().io(handle->executable, &buffer)
                                              : plugin->api().counters(handle->executable, &buffer);
  return document(verb, error, buffer);
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

FlatServer::FlatServer(std::shared_ptr<const Plugin> plugin, std::function<void(std::string)> notify)
    : impl_(std::make_unique<Impl>()) {
  impl_->plugin = std::move(plugin);
  impl_->notify = std::move(notify);
}

FlatServer::~FlatServer() = default;

Status FlatServer::attach(std::span<const FlatAttachment> attachments) {
  const std::lock_guard lock(impl_->segments_mutex);
  for (const FlatAttachment& attachment : attachments) {
    if (attachment.segment == 0 || attachment.size_bytes > flat::kMaxSegmentBytes ||
        impl_->segments.size() >= flat::kMaxHandles) {
      return invalid_argument_error("engine message: segment that cannot be attached");
    }
    UniqueFd fd(::fcntl(attachment.fd, F_DUPFD_CLOEXEC, 0));
    if (!fd && errno != EBADF) return errno_status(errno, "engine message: segment that cannot be attached");
    const auto size_bytes = static_cast<size_t>(attachment.size_bytes);
    AXLE_ASSIGN_OR_RETURN(SharedMemory memory, attachment.file ? SharedMemory::adopt_file(std::move(fd), size_bytes)
                                                               : SharedMemory::adopt(std::move(fd), size_bytes, true));
    memory.close_fd();
    // One that is known comes again after a message that the host could not tell the fate of.
    impl_->segments.insert_or_assign(attachment.segment, std::make_shared<SharedMemory>(std::move(memory)));
  }
  return ok_status();
}

std::string FlatServer::serve(std::string_view request) {
  FlatReader reader(request);
  if (!reader.ok()) return Impl::failed(FlatVerb::kDescribe, reader.finish());
  return impl_->serve(reader);
}

}  // namespace axle
