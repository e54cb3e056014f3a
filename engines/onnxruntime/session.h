// One vendor session with what must outlive it (threads, options, mapped bytes) and its inputs and outputs as io answers them.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "runtime.h"
#include "settings.h"
#include "worker_threads.h"

namespace axle::ort {

// Where the model comes from: exactly one of path and bytes.
struct ModelSource {
  std::string path;
  std::string_view bytes;            // ONNX, or the ORT format; copied by the vendor unless keep_bytes
  std::string external_folder;       // what external data in `bytes` is relative to; empty: all inline
  bool keep_bytes = false;  // ORT format: weights stay in `bytes`, which outlive the session and are 64-byte aligned
  std::vector<std::pair<std::string, std::string_view>> external_files;  // external data by file name, from memory
};

// In every session and compilation of that model.
void set_external_folder(const Api& api, OrtSessionOptions* options, const ModelSource& source);

class Session {
 public:
  // Throws what the vendor says; CANCELLED when `cancel` fired during the load.
  static std::unique_ptr<Session> open(std::shared_ptr<const Runtime> runtime, Handle<OrtSessionOptions> options,
                                       std::unique_ptr<WorkerThreads> threads, const ModelSource& source,
                                       const kit::Cancel& cancel);

  const Runtime& runtime() const noexcept { return *runtime_; }
  const Api& api() const noexcept { return runtime_->api(); }
  OrtSession* get() const noexcept { return session_.get(); }
  const OrtSessionOptions* options() const noexcept { return options_.get(); }
  const kit::Io& io() const noexcept { return io_; }
  const WorkerThreads& threads() const noexcept { return *threads_; }
  std::atomic<uint64_t>& runs() noexcept { return runs_; }

 private:
  Session(std::shared_ptr<const Runtime> runtime, Handle<OrtSessionOptions> options, std::unique_ptr<WorkerThreads> threads)
      : runtime_(std::move(runtime)), threads_(std::move(threads)), options_(std::move(options)),
        session_(nullptr, runtime_->api()->ReleaseSession) {}
  void create(const ModelSource& source, const kit::Cancel& cancel);
  void read_io();
  kit::IoSpec read_spec(bool input, size_t index) const;

  std::shared_ptr<const Runtime> runtime_;
  std::unique_ptr<WorkerThreads> threads_;
  Handle<OrtSessionOptions> options_;
  Handle<OrtSession> session_;
  kit::Io io_;
  std::atomic<uint64_t> runs_{0};
};

}  // namespace axle::ort
