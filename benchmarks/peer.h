// A peer: an engine's own C API used well by hand, without axle. Libraries are opened at run time. Failures throw.
// bind_inputs -> first_run -> bind_outputs -> run, as often as wanted. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "flat_tensor.h"

namespace axle_benchmarks {

struct PeerOptions {
  std::string library;  // path of the engine's library
  std::string model;
  int threads = 1;
  // What the engine keeps itself for faster starts: onnxruntime: file of the optimised model, written when it is not there;
  // openvino: CACHE_DIR. Empty: nothing is kept.
  std::string cache;
};

class Peer {
 public:
  virtual ~Peer() = default;
  // `tensors` stay the caller's and must outlive the peer.
  virtual void bind_inputs(std::span<FlatTensor> tensors) = 0;
  // The engine allocates the outputs.
  virtual void first_run() = 0;
  // From now on it writes into memory that was bound once.
  virtual void bind_outputs() = 0;
  virtual void run() = 0;
  // In model order, after a run.
  virtual std::vector<FlatView> outputs() = 0;
};

std::unique_ptr<Peer> open_onnxruntime(const PeerOptions& options);
std::unique_ptr<Peer> open_openvino(const PeerOptions& options);
// `name` is "onnxruntime" or "openvino".
std::unique_ptr<Peer> open_peer(const std::string& name, const PeerOptions& options);

}  // namespace axle_benchmarks
