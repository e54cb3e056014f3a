// Internal: what FlatClient holds, shared by flat_client.cc (engines and executables) and flat_client_run.cc (contexts).
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/shared_blocks.h"
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
// Restarts without a run that went well in between.
inline constexpr uint32_t kMostRestartsInARow = 5;

inline std::string_view view(axle_text_t text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

inline axle_error_t* to_error(FlatError error) { return reinterpret_cast<axle_error_t*>(new FlatError(std::move(error))); }
inline axle_error_t* to_error(const Status& status) {
  return status.ok() ? nullptr
                     : to_error(FlatError{static_cast<int32_t>(status.code()), status.vendor_code(), 0, status.message(),
                                          status.hint()});
}

inline Status to_status(FlatError error) {
  const auto code = error.code > 0 && error.code <= AXLE_DATA_LOSS ? static_cast<StatusCode>(error.code) : StatusCode::kUnknown;
  Status status(code, std::move(error.message));
  if (!error.hint.empty()) status = std::move(status).with_hint(std::move(error.hint));
  if (error.vendor_code != 0) status = std::move(status).with_vendor_code(error.vendor_code);
  return status;
}

inline void give(std::string_view document, axle_buffer_t* out) {
  auto* owner = new std::string(document);
  *out = {owner->data(), owner->size(), owner};
}

// Memory shared with the engine, known there by number.
struct Segment {
  uint32_t id = 0;
  uint32_t life = 0;  // of the other side, that it was handed to
  std::optional<SharedMemory> memory;
  std::shared_ptr<SharedMemory> block;  // the caller's, in place of `memory`
  const SharedMemory* get() const { return memory ? &*memory : block.get(); }
  size_t size_bytes() const { return memory ? memory->size_bytes() : 0; }
};

}  // namespace flat

struct FlatClient::Impl {
  Impl() = default;
  ~Impl() {
    if (channel) channel->close();  // its notices come here
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::shared_ptr<FlatChannel> channel;
  uint32_t slots = 0;
  std::atomic<uint32_t> life{0};  // of the other side, that knows the control segment
  std::atomic<uint32_t> restarts{0}, restarts_in_a_row{0};
  std::atomic<bool> asleep{false};  // the other side has not begun yet
  std::atomic<bool> proven{false};  // a run went well since the other side began
  std::mutex revive_mutex;
  std::atomic<uint64_t> copied_bytes{0};  // between callers' memory and shared memory
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
  // `of_life`: of what the request names; 0 = it names nothing.
  Result<Reply> call(FlatWriter& request, uint32_t of_life, std::span<const FlatAttachment> attachments = {},
                     const std::function<void()>& poll = nullptr) {
    Reply reply;
    AXLE_ASSIGN_OR_RETURN(reply.bytes, channel->call_life(of_life, request.take(), attachments, poll));
    reply.reader = std::make_unique<FlatReader>(reply.bytes);
    reply.error = read_error(*reply.reader);
    if (!reply.reader->ok()) return internal_error("the engine's process sent a malformed reply");
    return reply;
  }
  // For verbs whose reply is an error or nothing.
  axle_error_t* command(FlatWriter& request, uint32_t of_life, std::span<const FlatAttachment> attachments = {}) {
    auto reply = call(request, of_life, attachments);
    if (!reply.ok()) return flat::to_error(reply.status());
    return reply->error.code == 0 ? nullptr : flat::to_error(std::move(reply->error));
  }
  axle_error_t* question(FlatWriter& request, uint32_t of_life, axle_buffer_t* out,
                         std::span<const FlatAttachment> attachments = {}, const std::function<void()>& poll = nullptr) {
    auto reply = call(request, of_life, attachments, poll);
    if (!reply.ok()) return flat::to_error(reply.status());
    if (reply->error.code != 0) return flat::to_error(std::move(reply->error));
    flat::give(reply->reader->text(), out);
    return nullptr;
  }
  // A process that judges, compiles or loads is not one that cannot live. Being made and described proves nothing.
  axle_error_t* judged(axle_error_t* error) {
    if (error == nullptr) restarts_in_a_row = 0;
    return error;
  }
  void forget(FlatVerb verb, uint64_t id, uint32_t its_life) {
    if (its_life != channel->life()) return;  // gone with the other side
    FlatWriter request(verb);
    request.u64(id);
    (void)call(request, its_life);
  }

  // ---- memory ----
  Result<FlatAttachment> make_segment(flat::Segment& segment, size_t size_bytes, uint32_t its_life) {
    AXLE_ASSIGN_OR_RETURN(SharedMemory memory, SharedMemory::create("axle-flat", std::max<size_t>(size_bytes, 64)));
    segment.memory = std::move(memory);
    segment.id = ++last_segment;
    return hand_over(segment, its_life);
  }
  // `segment.memory` is a file's.
  FlatAttachment name_file(flat::Segment& segment, uint32_t its_life) {
    segment.id = ++last_segment;
    FlatAttachment attachment = hand_over(segment, its_life);
    attachment.file = true;
    return attachment;
  }
  // To be sent in a message to that life.
  FlatAttachment hand_over(flat::Segment& segment, uint32_t its_life) {
    segment.life = its_life;
    return FlatAttachment{segment.id, segment.get()->fd(), segment.get()->size_bytes()};
  }
  // The segment once more, if another life has got it.
  void hand_over_again(flat::Segment& segment, uint32_t its_life, std::vector<FlatAttachment>& attachments) {
    if (segment.get() != nullptr && segment.life != its_life) attachments.push_back(hand_over(segment, its_life));
  }
  void detach(const flat::Segment& segment) {
    if (segment.id == 0 || segment.life != channel->life()) return;
    FlatWriter request(FlatVerb::kDetach);
    request.u32(segment.id);
    (void)call(request, segment.life);
  }

  // After a call that carried it failed: nobody knows whether it has arrived, so it is sent again with the next one.
  void take_back(flat::Segment& segment) {
    detach(segment);
    segment.life = 0;
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
  void fail_pending();

  // ---- lives ----
  // The other side, started anew if it is gone, with the control segment handed to it. Under revive_mutex.
  Status revive();
  Status begin_or_restart();
  Status introduce();
  // On a channel, with flags for callers who may cancel.
  Status attach(std::shared_ptr<FlatChannel> to);
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
    if (slot_ >= kCancelSlots || !CancelHandle::of(cancel_).cancelled()) return;
    impl_.flag(slot_).store(1, std::memory_order_release);
    const auto now = std::chrono::steady_clock::now();
    if (!cancelled_) {
      cancelled_ = true;
      since_ = now;
    } else if (const auto grace = impl_.channel->cancel_grace(); !abandoned_ && now - since_ > grace) {
      abandoned_ = true;
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(grace).count();
      impl_.channel->abandon("it did not stop within " + std::to_string(ms) + " ms after it was told to");
    }
  }
  // For FlatChannel::call: nobody to ask when nobody can cancel.
  std::function<void()> poller() {
    if (slot_ >= kCancelSlots) return nullptr;
    return [this] { poll(); };
  }
  // An engine that was ended because it did not stop: what the caller wanted, at a price.
  Status judge(Status status) const {
    if (!abandoned_ || status.code() != StatusCode::kUnavailable) return status;
    return cancelled_error(status.message());
  }

 private:
  Impl& impl_;
  const axle_cancel_t* cancel_;
  uint32_t slot_ = kCancelSlots;
  bool cancelled_ = false, abandoned_ = false;
  std::chrono::steady_clock::time_point since_;
};

struct ClientEngine {
  Impl* impl = nullptr;
  uint64_t id = 0;
  uint32_t life = 0;
  // What it was created with.
  std::string library_path, scratch_folder;
  std::vector<std::string> search_folders;
  std::vector<std::pair<std::string, std::string>> options;
};

// What an executable was loaded with: enough to load it again.
struct LoadRecord {
  std::string resource, precision;
  std::vector<std::pair<std::string, std::string>> options;
  int32_t threads = 1;
  int32_t spin = 0;
  std::vector<int32_t> cpu_set;
  struct Blob {
    std::string name, path;
    std::string_view data;  // the host's until unload
  };
  std::vector<Blob> blobs;
  const axle_graph_t* graph = nullptr;  // the host's until unload
};

struct ClientExecutable {
  Impl* impl = nullptr;
  ClientEngine* engine = nullptr;
  uint64_t id = 0;
  std::atomic<uint32_t> life{0};
  EngineIo io;
  LoadRecord record;
  EffectiveValues effective;
};

struct ClientTensor {
  bool bound = false;
  axle_tensor_t tensor{};  // the caller's; its shape is the one below
  std::vector<int64_t> shape;
  Segment segment;
  size_t offset = 0;       // in the segment
  bool in_place() const noexcept { return segment.block != nullptr; }  // nothing is copied
};

struct ClientContext {
  Impl* impl = nullptr;
  ClientExecutable* executable = nullptr;
  uint64_t id = 0;
  uint32_t life = 0;
  std::vector<ClientTensor> inputs, outputs;
  Segment room;                         // of outputs the engine allocates
  std::vector<FlatTensor> results;      // of the last run
  std::vector<FlatError> result_errors;
  std::vector<std::vector<axle_text_t>> result_texts;
  ~ClientContext() {
    for (auto* list : {&inputs, &outputs}) {
      for (ClientTensor& tensor : *list) impl->detach(tensor.segment);
    }
    impl->detach(room);
  }
};

inline ClientEngine& engine_of(axle_engine_t* engine) { return *reinterpret_cast<ClientEngine*>(engine); }
inline ClientExecutable& executable_of(axle_executable_t* executable) {
  return *reinterpret_cast<ClientExecutable*>(executable);
}
inline ClientContext& context_of(axle_context_t* context) { return *reinterpret_cast<ClientContext*>(context); }

// What stands on the other side for these, made anew where that side was started anew. The first two under revive_mutex.
Status revive(ClientEngine& engine);
Status revive(ClientExecutable& executable);
Status revive(ClientContext& context);
Status revive_locked(ClientEngine& engine);
// Asks for what was created or loaded; the reply's error is a Status.
Status create_again(ClientEngine& engine);
Result<std::string> load_as_recorded(ClientExecutable& executable, axle_text_t scratch_folder, const axle_cancel_t* cancel,
                                     void* progress);
Status bind_again(ClientContext& context, uint32_t life);

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
