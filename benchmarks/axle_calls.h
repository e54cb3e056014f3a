// Calls of axle in programs that end when one fails: its error becomes an exception, which run_main prints.
#pragma once

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "axle/session.h"
#include "axle/status.h"
#include "axle/tensor.h"
#include "flat_tensor.h"

namespace axle_benchmarks {

template <typename T>
T value_of(axle::Result<T> result) {
  if (!result) throw std::runtime_error("axle: " + result.error().to_string());
  return std::move(*result);
}

inline void check(const axle::Status& status) {
  if (!status.ok()) throw std::runtime_error("axle: " + status.to_string());
}

// Views of the inputs, which must outlive them.
inline std::vector<axle::NamedTensor> feeds_of(std::vector<FlatTensor>& inputs) {
  std::vector<axle::NamedTensor> feeds;
  for (FlatTensor& input : inputs) {
    feeds.push_back({input.name, value_of(axle::Tensor::borrow(static_cast<axle::DataType>(input.dtype), input.shape,
                                                               input.data.get(), input.size_bytes))});
  }
  return feeds;
}

// Copies of the inputs in memory that a process of its own sees too.
inline std::vector<axle::NamedTensor> shared_feeds_of(std::vector<FlatTensor>& inputs) {
  std::vector<axle::NamedTensor> feeds;
  for (const axle::NamedTensor& feed : feeds_of(inputs)) {
    axle::Tensor shared = value_of(axle::Tensor::allocate_shared(feed.tensor.dtype(), feed.tensor.shape()));
    std::memcpy(shared.mutable_data(), feed.tensor.data(), feed.tensor.size_bytes());
    feeds.push_back({feed.name, std::move(shared)});
  }
  return feeds;
}

enum class Memory { kOwn, kShared };  // of inputs and outputs: this process's alone, or seen by a process of its own too

// A session with everything bound: what a careful caller has before the first request that counts. The inputs must outlive it.
class BoundSession {
 public:
  BoundSession(const std::string& model, axle::SessionOptions options, std::vector<FlatTensor>& inputs,
               Memory memory = Memory::kOwn)
      : feeds_(memory == Memory::kShared ? shared_feeds_of(inputs) : feeds_of(inputs)) {
    options.samples = feeds_;
    session_.emplace(value_of(axle::Session::create(model, std::move(options))));
    binding_.emplace(value_of(session_->make_binding()));
    for (const axle::NamedTensor& feed : feeds_) check(binding_->bind_input(feed.name, feed.tensor));
    check(binding_->run());
    for (size_t i = 0; i < session_->outputs().size(); ++i) {
      const axle::Tensor made = value_of(binding_->output(i));
      outputs_.push_back(value_of(memory == Memory::kShared ? axle::Tensor::allocate_shared(made.dtype(), made.shape())
                                                            : axle::Tensor::allocate(made.dtype(), made.shape())));
    }
    for (size_t i = 0; i < outputs_.size(); ++i) check(binding_->bind_output(i, outputs_[i]));
  }

  void run_bound() {
    if (const axle::Status status = binding_->run(); !status.ok()) [[unlikely]]
      check(status);
  }
  void run_session() { value_of(session_->run(feeds_)); }

  const std::vector<axle::Tensor>& outputs() const { return outputs_; }
  const axle::Plan& plan() const { return session_->plan(); }

 private:
  std::vector<axle::NamedTensor> feeds_;
  std::optional<axle::Session> session_;
  std::optional<axle::Binding> binding_;
  std::vector<axle::Tensor> outputs_;
};

}  // namespace axle_benchmarks
