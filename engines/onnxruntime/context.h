// Bound tensors of one caller. A run with every output bound goes through the vendor's I/O binding from its second repetition
// (no name look-up, 0.1 us less than Run); anything else through Run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "session.h"
#include "string_tensor.h"

namespace axle::ort {

class OrtContext final : public kit::Context {
 public:
  explicit OrtContext(std::shared_ptr<Session> session);

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override;
  void bind_output(uint32_t index, const axle_tensor_t* tensor) override;
  void run(const kit::RunArgs& args) override;
  axle_tensor_t output(uint32_t index) override;

 private:
  using Value = Handle<OrtValue>;

  struct Bound {  // what the caller handed over
    bool bound = false;
    void* data = nullptr;
    size_t size_bytes = 0;
    std::vector<int64_t> shape;
    bool same_as(const axle_tensor_t& tensor) const noexcept;
    void take(const axle_tensor_t& tensor);
  };
  struct Input {
    Bound caller;
    Value value;
  };
  struct Output {
    Bound caller;
    Value value;       // over the caller's memory
    Value produced;    // allocated by the vendor in the last run
    bool through_copy = false;  // the bound shape was not what the model produced: allocate, then copy
    Strings strings;
    std::vector<int64_t> shape;  // of the last run
    bool direct() const noexcept { return caller.bound && !through_copy; }
  };

  const Api& api() const noexcept { return session_->api(); }
  Value wrap(const kit::IoSpec& spec, const axle_tensor_t& tensor) const;
  void require_inputs() const;
  void refill_strings();
  void rebuild_binding();
  void changed() noexcept;
  OrtStatus* run_once(bool all_direct);
  OrtStatus* run_watched(const kit::RunArgs& args, bool all_direct);
  OrtStatus* run_profiled(const kit::RunArgs& args, bool all_direct);
  bool copy_open_outputs(bool copy);
  void collect(uint32_t index);
  void check_fits(uint32_t index, size_t needed) const;
  void read_shape(const OrtValue* value, std::vector<int64_t>& shape) const;

  std::shared_ptr<Session> session_;
  Handle<OrtRunOptions> options_;
  Handle<OrtIoBinding> binding_;
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::vector<const char*> input_names_, output_names_;
  std::vector<const OrtValue*> input_values_;
  std::vector<OrtValue*> output_values_;
  size_t missing_ = 0;         // inputs that are not bound
  size_t indirect_ = 0;        // outputs that the vendor allocates
  size_t string_inputs_ = 0;
  uint32_t unchanged_runs_ = 0;  // since the last bind
  bool ran_ = false;
};

}  // namespace axle::ort
