// Contexts: what is bound, what a run sends and brings back.
#include <chrono>
#include <cstring>

#include "engine/flat_client_impl.h"

namespace axle::flat {

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

axle_error_t* bind(FlatVerb verb, ClientContext& context, std::vector<ClientTensor>& list, uint32_t index,
                   const axle_tensor_t* tensor) {
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
    if (!bound && result.dtype != kString && result.place.segment == 0)
      missing += (result.place.size_bytes + 63) & ~uint64_t{63};
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

}  // namespace axle::flat
