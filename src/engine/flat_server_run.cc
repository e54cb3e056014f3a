// Contexts: bind, run, outputs.
#include "engine/flat_server_impl.h"

namespace axle {

std::string FlatServer::Impl::context_create(FlatReader& reader) {
  auto made = std::make_shared<flat::ContextHandle>();
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
      for (const std::string& text : texts) views.push_back(flat::to_text(text));
      tensor.data = views.data();
      tensor.size_bytes = views.size() * sizeof(axle_text_t);
      tensor.memory_space = 0;
    } else if (given.place.segment != 0) {
      const auto span = resolve(given.place, !input);
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
Status FlatServer::Impl::write_outputs(FlatWriter& reply, flat::ContextHandle& context, const std::vector<uint32_t>& wanted,
                                       const FlatPlace& room) {
  FlatSpan space;
  if (room.segment != 0) {
    AXLE_ASSIGN_OR_RETURN(space, resolve(room, true));
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
      for (size_t i = 0; i < tensor.size_bytes / sizeof(axle_text_t); ++i)
        out.texts.emplace_back(texts[i].data == nullptr ? "" : texts[i].data, texts[i].size);
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

std::string FlatServer::Impl::run_reply(FlatVerb verb, axle_error_t* error, flat::ContextHandle& context,
                                        const std::vector<uint32_t>& wanted, const FlatPlace& room) {
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
  flat::NoticeSink sink(notify, profile);
  RunProfile run_profile{&sink, -1, 0};
  const axle_run_args_t args{sizeof(axle_run_args_t), cancel->abi(), profile == 0 ? nullptr : &run_profile};
  return run_reply(verb, plugin->api().run(context->context, &args), *context, wanted, room);
}

std::string FlatServer::Impl::run_async(FlatReader& reader) {
  struct Pending {
    Impl* impl;
    std::shared_ptr<flat::ContextHandle> context;
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
    const std::string reply =
        finished->impl->run_reply(FlatVerb::kRunAsync, error, *finished->context, finished->wanted, finished->room);
    finished->impl->notify(FlatWriter(FlatVerb::kDone).u64(finished->id).text(reply).take());
  };
  FlatWriter reply(FlatVerb::kRunAsync);
  Pending* const raw = pending.release();  // done's, unless the call fails
  const FlatError error = take(plugin->api().run_async(raw->context->context, &raw->args, done, raw));
  if (error.code != 0) delete raw;
  write_error(reply, error);
  return reply.take();
}

}  // namespace axle
