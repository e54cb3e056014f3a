// Contexts: what is bound, what a run sends and brings back.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "engine/flat_client_impl.h"

namespace axle::flat {

constexpr uint64_t kMaxRoomBytes = uint64_t{1} << 36;  // that results may ask for: 64 GiB

axle_error_t* context_create(axle_executable_t* handle, axle_context_t** out) {
  ClientExecutable& executable = executable_of(handle);
  auto made = std::make_unique<ClientContext>();
  made->impl = executable.impl;
  made->executable = &executable;
  made->inputs.resize(executable.io.inputs.size());
  made->outputs.resize(executable.io.outputs.size());
  if (Status status = revive(*made); !status.ok()) return to_error(status);
  *out = reinterpret_cast<axle_context_t*>(made.release());
  return nullptr;
}

void context_destroy(axle_context_t* handle) {
  const std::unique_ptr<ClientContext> context(&context_of(handle));
  context->impl->forget(FlatVerb::kContextDestroy, context->id, context->life);
}

// The message of bind: where the engine finds the bytes, or the texts themselves.
FlatTensor flat_tensor(const axle_tensor_t& tensor, uint32_t segment, size_t offset) {
  FlatTensor out;
  out.dtype = tensor.dtype;
  if (tensor.shape != nullptr) out.shape.assign(tensor.shape, tensor.shape + std::max(0, tensor.rank));
  if (out.dtype == kString) {
    const auto* texts = static_cast<const axle_text_t*>(tensor.data);
    for (size_t i = 0; i < tensor.size_bytes / sizeof(axle_text_t); ++i) out.texts.emplace_back(view(texts[i]));
  } else if (tensor.data != nullptr && tensor.size_bytes > 0) {
    out.place = {segment, offset, tensor.size_bytes};  // a tensor without bytes lies nowhere: the engine's own checks speak
  }
  return out;
}

// What the engine was told of the old one holds for the new one too.
bool is_same_place(const ClientTensor& bound, const axle_tensor_t& tensor, const std::optional<SharedPlace>& shared) {
  if (!bound.bound || bound.tensor.dtype != tensor.dtype || tensor.dtype == kString || bound.tensor.data == nullptr ||
      tensor.data == nullptr || bound.tensor.size_bytes != tensor.size_bytes || bound.tensor.rank != tensor.rank ||
      !std::equal(bound.shape.begin(), bound.shape.end(), tensor.shape)) {
    return false;
  }
  return shared ? bound.segment.block == shared->block && bound.offset == shared->offset : !bound.in_place();
}

// A segment for the tensor where the one it has does not do.
Result<std::optional<FlatAttachment>> place_tensor(Impl& impl, uint32_t life, const axle_tensor_t& tensor,
                                                   const ClientTensor& bound, const std::optional<SharedPlace>& shared,
                                                   Segment& fresh) {
  if (tensor.dtype == kString) return std::optional<FlatAttachment>();
  if (shared) {
    if (bound.segment.block == shared->block) return std::optional<FlatAttachment>();
    fresh.block = shared->block;
    fresh.id = ++impl.last_segment;
    return std::optional<FlatAttachment>(impl.hand_over(fresh, life));
  }
  if (!bound.in_place() && tensor.size_bytes <= bound.segment.size_bytes()) return std::optional<FlatAttachment>();
  AXLE_ASSIGN_OR_RETURN(const FlatAttachment attachment, impl.make_segment(fresh, tensor.size_bytes, life));
  return std::optional<FlatAttachment>(attachment);
}

axle_error_t* bind(FlatVerb verb, ClientContext& context, std::vector<ClientTensor>& list, uint32_t index,
                   const axle_tensor_t* tensor) {
  if (Status status = revive(context); !status.ok()) return to_error(status);
  FlatWriter request(verb);
  request.u64(context.id).u32(index).u32(tensor == nullptr ? 0 : 1);
  if (tensor == nullptr || index >= list.size()) {
    if (tensor != nullptr) write_tensor(request, {});
    axle_error_t* error = context.impl->command(request, context.life);
    if (error == nullptr && index < list.size()) list[index].bound = false;
    return error;
  }
  ClientTensor& bound = list[index];
  std::optional<SharedPlace> shared;
  if (tensor->memory_space == 2 && tensor->size_bytes > 0) shared = find_shared_block(tensor->data, tensor->size_bytes);
  if (is_same_place(bound, *tensor, shared)) {
    bound.tensor.data = tensor->data;
    return nullptr;
  }
  Segment fresh;  // what was bound before stays until the engine has accepted the new
  std::vector<FlatAttachment> attachments;
  const auto attachment = place_tensor(*context.impl, context.life, *tensor, bound, shared, fresh);
  if (!attachment.ok()) return to_error(attachment.status());
  if (*attachment) attachments.push_back(**attachment);
  Segment& place = fresh.get() != nullptr ? fresh : bound.segment;
  context.impl->hand_over_again(place, context.life, attachments);
  const size_t offset = shared ? shared->offset : 0;
  write_tensor(request, flat_tensor(*tensor, place.id, offset));
  if (axle_error_t* error = context.impl->command(request, context.life, attachments)) {
    if (!attachments.empty()) context.impl->take_back(place);
    return error;
  }
  if (fresh.get() != nullptr) {
    context.impl->detach(bound.segment);
    bound.segment = std::move(fresh);
  }
  std::vector<int64_t> shape(tensor->shape, tensor->shape + std::max(0, tensor->rank));  // may be the one held already
  bound.bound = true;
  bound.offset = offset;
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

Status bind_again(ClientContext& context, uint32_t life) {
  for (auto* list : {&context.inputs, &context.outputs}) {
    const FlatVerb verb = list == &context.inputs ? FlatVerb::kBindInput : FlatVerb::kBindOutput;
    for (uint32_t i = 0; i < list->size(); ++i) {
      ClientTensor& bound = (*list)[i];
      if (!bound.bound) continue;
      FlatWriter request(verb);
      request.u64(context.id).u32(i).u32(1);
      write_tensor(request, flat_tensor(bound.tensor, bound.segment.id, bound.offset));
      std::vector<FlatAttachment> attachments;
      context.impl->hand_over_again(bound.segment, life, attachments);
      auto reply = context.impl->call(request, life, attachments);
      if (reply.ok() && reply->error.code == 0) continue;
      if (!attachments.empty()) context.impl->take_back(bound.segment);
      return reply.ok() ? to_status(std::move(reply->error)) : reply.status();
    }
  }
  return ok_status();
}

// Inputs as they are now: the caller may have written since bind. Strings travel again inside a message.
axle_error_t* send_inputs(ClientContext& context) {
  uint64_t copied = 0;
  for (uint32_t i = 0; i < context.inputs.size(); ++i) {
    ClientTensor& input = context.inputs[i];
    if (!input.bound) continue;
    if (input.tensor.dtype == kString) {
      const axle_tensor_t again = input.tensor;
      if (axle_error_t* error = bind(FlatVerb::kBindInput, context, context.inputs, i, &again)) return error;
    } else if (input.tensor.size_bytes > 0 && input.tensor.data != nullptr && !input.in_place()) {
      std::memcpy(input.segment.memory->data(), input.tensor.data, input.tensor.size_bytes);
      copied += input.tensor.size_bytes;
    }
  }
  context.impl->copied_bytes.fetch_add(copied, std::memory_order_relaxed);
  return nullptr;
}

// One text for each element: whoever reads them goes by the shape, or by the bytes.
bool has_its_texts(const FlatTensor& result) {
  std::optional<int64_t> count = 1;
  for (const int64_t size : result.shape) count = count && size >= 0 ? checked_mul(*count, size) : std::nullopt;
  return count && std::cmp_equal(*count, result.texts.size()) &&
         result.place.size_bytes == result.texts.size() * sizeof(axle_text_t);
}

// What the other side states of a result must lie within the memory that was given for it.
bool lies_within(const FlatTensor& result, const ClientTensor* bound, const Segment& room) {
  if (result.dtype == kString) return result.place.segment == 0 && has_its_texts(result);
  if (bound != nullptr) return result.place.size_bytes <= bound->tensor.size_bytes;
  if (result.place.segment == 0) return result.place.size_bytes <= kMaxRoomBytes;
  return result.place.segment == room.id && result.place.offset <= room.size_bytes() &&
         result.place.size_bytes <= room.size_bytes() - result.place.offset;
}

// Bytes that did not fit into the room; 0 = all here. What makes no sense fails the reader.
uint64_t read_results(ClientContext& context, FlatReader& reader) {
  const size_t count = reader.count(4);
  if (count != context.outputs.size()) reader.fail("results that nobody asked for");
  if (!reader.ok()) return 0;
  context.results.assign(count, {});
  context.result_errors.assign(count, {});
  context.result_texts.assign(count, {});
  uint64_t missing = 0, copied = 0;
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    context.result_errors[i] = read_error(reader);
    if (context.result_errors[i].code != 0) continue;
    context.results[i] = read_tensor(reader);
    const FlatTensor& result = context.results[i];
    const ClientTensor* bound = context.outputs[i].bound ? &context.outputs[i] : nullptr;
    if (!lies_within(result, bound, context.room)) {
      reader.fail("result outside its memory");
      break;
    }
    for (const std::string& text : result.texts) context.result_texts[i].push_back({text.data(), text.size()});
    if (bound == nullptr && result.dtype != kString && result.place.segment == 0)
      missing += (result.place.size_bytes + 63) & ~uint64_t{63};
    const bool copies = bound != nullptr && result.dtype != kString && !bound->in_place();
    if (copies && result.place.size_bytes > 0 && bound->tensor.data != nullptr) {
      std::memcpy(bound->tensor.data, bound->segment.memory->data(), result.place.size_bytes);
      copied += result.place.size_bytes;
    }
  }
  if (!reader.ok()) context.results.clear();
  context.impl->copied_bytes.fetch_add(copied, std::memory_order_relaxed);
  return missing;
}

FlatPlace room_of(const ClientContext& context) {
  return context.room.memory ? FlatPlace{context.room.id, 0, context.room.size_bytes()} : FlatPlace{};
}

// All outputs, and where those go that the engine allocates.
void write_wishes(FlatWriter& request, const ClientContext& context) {
  request.u64(context.outputs.size());
  for (uint32_t i = 0; i < context.outputs.size(); ++i) request.u32(i);
  write_place(request, room_of(context));
}

axle_error_t* malformed() { return to_error(internal_error("the engine's process sent a malformed reply")); }

// Makes the room larger and fetches the outputs again.
axle_error_t* fetch_again(ClientContext& context, uint64_t missing) {
  Impl& impl = *context.impl;
  Segment old = std::exchange(context.room, {});
  const auto attachment = impl.make_segment(context.room, old.size_bytes() + missing, context.life);
  if (!attachment.ok()) return to_error(attachment.status());
  FlatWriter request(FlatVerb::kRun);
  request.u64(context.id).u32(1).u64(0);
  write_place(request, {});
  write_wishes(request, context);
  auto reply = impl.call(request, context.life, std::span(&*attachment, 1));
  impl.detach(old);
  if (!reply.ok() || reply->error.code != 0) impl.take_back(context.room);
  if (!reply.ok()) return to_error(reply.status());
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  const uint64_t still_missing = read_results(context, *reply->reader);
  return reply->reader->ok() && still_missing == 0 ? nullptr : malformed();
}

axle_error_t* finish_run(ClientContext& context, FlatReader& reader) {
  const uint64_t missing = read_results(context, reader);
  if (!reader.ok()) return malformed();
  if (Impl& impl = *context.impl; !impl.proven.load(std::memory_order_relaxed)) {
    impl.restarts_in_a_row = 0;
    if (!impl.proven.exchange(true)) impl.channel->went_well();
  }
  axle_error_t* error = missing == 0 ? nullptr : fetch_again(context, missing);
  if (error != nullptr) context.results.clear();
  return error;
}

axle_error_t* run(axle_context_t* handle, const axle_run_args_t* args) {
  ClientContext& context = context_of(handle);
  Impl& impl = *context.impl;
  if (Status status = revive(context); !status.ok()) return to_error(status);
  if (axle_error_t* error = send_inputs(context)) return error;
  CancelBridge cancel(impl, args == nullptr ? nullptr : args->cancel);
  cancel.poll();
  const uint64_t profile = impl.remember(impl.profile_tokens, args == nullptr ? nullptr : args->profile);
  FlatWriter request(FlatVerb::kRun);
  request.u64(context.id).u32(0).u64(profile);
  write_place(request, cancel.place());
  write_wishes(request, context);
  std::vector<FlatAttachment> attachments;
  impl.hand_over_again(context.room, context.life, attachments);
  auto reply = impl.call(request, context.life, attachments, cancel.poller());
  if (profile != 0) impl.drop(impl.profile_tokens, profile);
  context.results.clear();  // of the run before: they say nothing of what is bound now
  if (!attachments.empty() && (!reply.ok() || reply->error.code != 0)) impl.take_back(context.room);
  if (!reply.ok()) return to_error(cancel.judge(reply.status()));
  if (reply->error.code != 0) return to_error(std::move(reply->error));
  return finish_run(context, *reply->reader);
}

axle_error_t* output(axle_context_t* handle, uint32_t index, axle_tensor_t* out) {
  ClientContext& context = context_of(handle);
  if (index >= context.outputs.size()) return to_error(invalid_argument_error("there is no output " + std::to_string(index)));
  if (index >= context.results.size())
    return to_error(failed_precondition_error("there is no output: nothing ran, or the last run failed"));
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
  if (Status status = revive(context); !status.ok()) return to_error(status);
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
  context.results.clear();
  FlatWriter request(FlatVerb::kRunAsync);
  request.u64(context.id).u64(id);
  write_place(request, cancel->place());
  write_wishes(request, context);
  std::vector<FlatAttachment> attachments;
  impl.hand_over_again(context.room, context.life, attachments);
  if (axle_error_t* error = impl.command(request, context.life, attachments)) {
    if (!attachments.empty()) impl.take_back(context.room);
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
