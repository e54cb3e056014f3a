// Internal: what FlatClient holds, shared by flat_client.cc (engines and executables) and flat_client_run.cc (contexts).
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/shared_memory.h"
#include "engine/flat_client.h"
#include "engine/flat_graph.h"
#include "engine/flat_message.h"
#include "engine/flat_server.h"
#include "engine/host_api.h"
#include "spec/engine_answers.h"

namespace axle {
namespace flat {

inline constexpr int32_t kString = static_cast<int32_t>(DataType::kString);
inline constexpr size_t kCancelSlots = 1024;

inline std::string_view view(axle_text_t text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

inline axle_error_t* to_error(FlatError error) { return reinterpret_cast<axle_error_t*>(new FlatError(std::move(error))); }
inline axle_error_t* to_error(const Status& status) {
  return status.ok() ? nullptr
                     : to_error(FlatError{static_cast<int32_t>(status.code()), status.vendor_code(), 0, status.message(),
                                          status.hint()});
}

inline void give(std::string_view document, axle_buffer_t* out) {
  auto* owner = new std::string(document);
  *out = {owner->data(), owner->size(), owner};
}

// Memory shared with the engine, known there by number.
struct Segment {
  uint32_t id = 0;
  std::optional<SharedMemory> memory;
  size_t size_bytes() const { return memory ? memory->size_bytes() : 0; }
};

}  // namespace flat

struct FlatClient::Impl {
  std::shared_ptr<FlatChannel> channel;
  uint32_t slots = 0;
  std::atomic<uint32_t> last_segment{0};
  flat::Segment control;  // cancel flags
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
  Result<Reply> call(FlatWriter& request, std::span<const FlatAttachment> attachments = {},
                     const std::function<void()>& poll = nullptr) {
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
    if (!reply.ok()) return flat::to_error(reply.status());
    return reply->error.code == 0 ? nullptr : flat::to_error(std::move(reply->error));
  }
  axle_error_t* question(FlatWriter& request, axle_buffer_t* out, std::span<const FlatAttachment> attachments = {},
                         const std::function<void()>& poll = nullptr) {
    auto reply = call(request, attachments, poll);
    if (!reply.ok()) return flat::to_error(reply.status());
    if (reply->error.code != 0) return flat::to_error(std::move(reply->error));
    flat::give(reply->reader->text(), out);
    return nullptr;
  }
  void forget(const char*, FlatVerb verb, uint64_t id) {
    FlatWriter request(verb);
    request.u64(id);
    (void)call(request);
  }

  // ---- memory ----
  Result<FlatAttachment> make_segment(flat::Segment& segment, size_t size_bytes) {
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
    if (free_flags.empty()) return flat::kCancelSlots;
    const uint32_t slot = free_flags.back();
    free_flags.pop_back();
    flag(slot).store(0, std::memory_order_release);
    return slot;
  }
  void return_flag(uint32_t slot) {
    const std::lock_guard lock(mutex);
    if (slot < flat::kCancelSlots) free_flags.push_back(slot);
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

namespace flat {

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

inline ClientEngine& engine_of(axle_engine_t* engine) { return *reinterpret_cast<ClientEngine*>(engine); }
inline ClientExecutable& executable_of(axle_executable_t* executable) {
  return *reinterpret_cast<ClientExecutable*>(executable);
}
inline ClientContext& context_of(axle_context_t* context) { return *reinterpret_cast<ClientContext*>(context); }

// Verbs of contexts, for the table.
axle_error_t* context_create(axle_executable_t* handle, axle_context_t** out);
void context_destroy(axle_context_t* handle);
axle_error_t* bind_input(axle_context_t* handle, uint32_t index, const axle_tensor_t* tensor);
axle_error_t* bind_output(axle_context_t* handle, uint32_t index, const axle_tensor_t* tensor);
axle_error_t* run(axle_context_t* handle, const axle_run_args_t* args);
axle_error_t* output(axle_context_t* handle, uint32_t index, axle_tensor_t* out);
axle_error_t* run_async(axle_context_t* handle, const axle_run_args_t* args, axle_done_t done, void* user);

}  // namespace flat
}  // namespace axle
