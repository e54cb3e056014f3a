// Bound tensors and the vendor's request of one caller.
#pragma once

#include "program.h"

namespace axle::openvino {

class OpenVinoContext final : public kit::Context {
 public:
  OpenVinoContext(std::shared_ptr<Program> program, bool profiling);

  void bind_input(uint32_t index, const axle_tensor_t* tensor) override;
  void bind_output(uint32_t index, const axle_tensor_t* tensor) override;
  void run(const kit::RunArgs& args) override;
  axle_tensor_t output(uint32_t index) override;

 private:
  using Tensor = Handle<ov_tensor_t>;
  struct Bound {
    bool bound = false;
    bool direct = false;  // the vendor writes into the caller's memory; else into `own`, copied after the run
    std::vector<int64_t> bound_shape;
    void* data = nullptr;
    size_t size_bytes = 0;
    Tensor wrapped;
    Tensor own;  // outputs: what the vendor allocates
    std::vector<int64_t> shape;  // outputs: of the last run
    std::vector<int64_t> vacant;  // outputs of open shapes: theirs with 0 for each open axis
    size_t mark_bytes = 0;  // outputs of fixed shapes: how many bytes show whether a run wrote them; 0 = not looked at

    bool same_as(const axle_tensor_t& tensor) const noexcept;
    void take(const axle_tensor_t& tensor);
  };

  const Api& api() const noexcept { return program_->api(); }
  Bound empty() const;
  void make_request();
  Tensor wrap(const kit::IoSpec& spec, const axle_tensor_t& tensor) const;
  void set(const Port& port, const ov_tensor_t* tensor, const kit::IoSpec& spec);
  void use_own(uint32_t index);
  void vacate();
  // Throws when an input is empty along an axis that a node reduces, for which the library would make something up.
  void refuse_reductions_of_nothing() const;
  ov_status_e infer(const kit::RunArgs& args);
  // One run from inputs to outputs. Throws NothingWritten.
  void run_once(const kit::RunArgs& args);
  // The same on an instance that skipped nothing yet.
  void run_on_another(const kit::RunArgs& args, bool same_as_good);
  std::vector<std::vector<int64_t>> input_shapes() const;
  // infer, and every output of fixed shape was written. Throws NothingWritten when one was not.
  ov_status_e infer_marked(const kit::RunArgs& args);
  // Where the next run writes a marked output; null: nowhere that may be marked.
  void* place_of(const Bound& output) const;
  void mark(unsigned char pattern);
  // The first output that still is as marked; outputs_.size(): none.
  size_t first_left(unsigned char pattern) const;
  void collect(uint32_t index);
  // Throws NothingWritten when an output is empty though the model says that it is not.
  void check_emptiness(const kit::IoSpec& spec, const std::vector<int64_t>& shape) const;
  void report_profile(const kit::Profile& profile, int64_t start_ns);

  std::shared_ptr<Program> program_;
  bool profiling_;
  std::shared_ptr<const Compiled> compiled_;
  uint64_t generation_ = 0;  // of compiled_
  Handle<ov_infer_request_t> request_;
  std::vector<Bound> inputs_, outputs_;
  bool marks_ = false;  // some output has mark_bytes
  bool other_shapes_ = true;  // than those of the last run that went well
  bool ran_ = false;
};

}  // namespace axle::openvino
