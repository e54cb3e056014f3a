// Internal: what FlatServer holds, shared by flat_server.cc (engines and executables) and flat_server_run.cc (contexts).
#pragma once

#include <unistd.h>

#include <atomic>

#include "engine/flat_server.h"
#include "engine/host_api.h"
#include "spec/engine_answers.h"

namespace axle {
namespace flat {

inline constexpr size_t kMaxHandles = 1u << 16;
inline constexpr size_t kMaxSegmentBytes = size_t{1} << 40;

inline axle_text_t to_text(std::string_view text) noexcept { return {text.data(), text.size()}; }

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

}  // namespace flat

struct FlatServer::Impl {
  std::shared_ptr<const Plugin> plugin;
  std::function<void(std::string)> notify;
  flat::Handles<std::shared_ptr<flat::EngineHandle>> engines;
  flat::Handles<std::shared_ptr<flat::ExecutableHandle>> executables;
  flat::Handles<std::shared_ptr<flat::ContextHandle>> contexts;
  std::mutex segments_mutex;
  std::map<uint32_t, std::shared_ptr<SharedMemory>> segments;

  // ---- places ----
  Result<FlatSpan> resolve(const FlatPlace& place, bool to_write = false) {
    const std::lock_guard lock(segments_mutex);
    const auto found = segments.find(place.segment);
    if (found == segments.end()) return invalid_argument_error("engine message: unknown segment");
    SharedMemory& memory = *found->second;
    if (to_write && memory.data() == nullptr) return invalid_argument_error("engine message: results into a file");
    const size_t size = memory.size_bytes();
    if (place.offset > size || place.size_bytes > size - place.offset)
      return invalid_argument_error("engine message: place outside its segment");
    return FlatSpan{memory.bytes().subspan(place.offset, static_cast<size_t>(place.size_bytes)), found->second};
  }

  FlatError take(axle_error_t* error) const {
    FlatError out;
    if (error == nullptr) return out;
    axle_error_info_t info{};
    info.struct_size = sizeof(info);
    plugin->api().error_info(error, &info);
    out = {info.code == 0 ? AXLE_UNKNOWN : info.code, info.vendor_code, info.required_bytes,
           std::string(info.message.data, info.message.size),
           std::string(info.hint.data == nullptr ? "" : info.hint.data, info.hint.size)};
    plugin->api().release_error(error);
    return out;
  }

  static std::string failed(FlatVerb verb, int32_t code, std::string message) {
    FlatWriter reply(verb);
    write_error(reply, {code, 0, 0, std::move(message), ""});
    return reply.take();
  }
  static std::string failed(FlatVerb verb, const Status& status) {
    return failed(verb, static_cast<int32_t>(status.code()), status.message());
  }

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
    if (span.bytes.size() != sizeof(uint32_t) || !aligned)
      return invalid_argument_error("engine message: misplaced cancel flag");
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
  Status write_outputs(FlatWriter& reply, flat::ContextHandle& context, const std::vector<uint32_t>& wanted,
                       const FlatPlace& room);
  std::string run_reply(FlatVerb verb, axle_error_t* error, flat::ContextHandle& context, const std::vector<uint32_t>& wanted,
                        const FlatPlace& room);
};

}  // namespace axle
