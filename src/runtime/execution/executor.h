// Executor: a loaded plan. Partitions run in plan order; what one produces and another consumes is bound once when its
// shape is fixed, and handed over by pointer per run when it is not. Nothing is copied between partitions in host memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "axle/plan.h"
#include "axle/tensor.h"
#include "engine/executable.h"

namespace axle {

// Where a tensor comes from: an input of the model (partition -1), or an output of a partition.
struct TensorSource {
  int32_t partition = -1;
  uint32_t index = 0;
  friend bool operator==(const TensorSource&, const TensorSource&) = default;
};

struct LoadedPartition {
  std::shared_ptr<const Executable> executable;
  std::vector<TensorSource> inputs;   // one per engine input, in bind order
};

struct LoadedPlan {
  std::vector<IoSpec> inputs;          // of the model
  std::vector<IoSpec> outputs;
  std::vector<LoadedPartition> partitions;
  std::vector<TensorSource> outputs_from;  // one per model output
  bool in_lanes = false;  // its partitions are for Lanes to run
  size_t first_partition = 0;  // number, in the plan, of the first of `partitions`: those of a replica

  // Wires the partitions from `first_partition` on by tensor name. INTERNAL: a partition's input is produced by nobody before it.
  static Result<LoadedPlan> wire(const Plan& plan, std::vector<std::shared_ptr<const Executable>> executables,
                                 std::vector<IoSpec> inputs, std::vector<IoSpec> outputs, size_t first_partition = 0);
};

// One caller's contexts over a loaded plan. One thread at a time.
class Execution {
 public:
  static Result<Execution> create(std::shared_ptr<const LoadedPlan> plan);

  // `index` in LoadedPlan::inputs / outputs. The bytes must stay valid until bound anew.
  Status bind_input(size_t index, const Tensor& tensor);
  // Nothing is given for it: an optional input. Its bytes need not stay valid from here on.
  Status unbind_input(size_t index);
  Status bind_output(size_t index, Tensor& tensor);
  Status unbind_output(size_t index);

  // The single-partition case is one call into the engine.
  Status run() {
    if (single_ && open_outputs_.empty()) [[likely]]
      return contexts_.front().run();
    return run_parts(nullptr, nullptr);
  }
  Status run(const CancelToken& cancel, const RunProfile* profile);
  // One partition, once those before it have run; `cancel` and `profile` may be null. Not twice at the same time.
  Status run_part(size_t part, const CancelToken* cancel, const RunProfile* profile);
  const LoadedPlan& plan() const { return *plan_; }

  // View into the engine's memory or the bound tensor, valid until the next run.
  Result<OutputView> output(size_t index);
  // A place beside the bindings: memory that stays bound to an output from call to call. Undefined until it is set.
  Tensor& kept_output(size_t index) { return kept_outputs_[index]; }

 private:
  struct Handover {  // a tensor that is passed on by pointer after its producer ran
    TensorSource from;
    int32_t to_partition;
    uint32_t to_index;
  };
  struct OpenOutput {  // bound, of a shape that only the run knows
    size_t index;
    TensorSource from;
    Shape shape;  // of what is bound
  };
  struct Passthrough {  // a model output that is a model input
    size_t output;
    size_t input;
  };
  explicit Execution(std::shared_ptr<const LoadedPlan> plan) : plan_(std::move(plan)) {}
  Status connect();
  Status run_parts(const CancelToken* cancel, const RunProfile* profile);
  Status hand_over(const Handover& edge);
  Status check_open_outputs(int32_t partition);
  bool shared_output(const TensorSource& source) const;

  std::shared_ptr<const LoadedPlan> plan_;
  std::vector<Context> contexts_;
  std::vector<std::vector<std::pair<uint32_t, uint32_t>>> readers_;  // per model input: (partition, engine input)
  std::vector<Handover> handovers_;  // ordered by consumer
  std::vector<size_t> first_handover_;  // per partition, into handovers_
  std::vector<OpenOutput> open_outputs_;
  std::vector<Tensor> between_;  // fixed-shape tensors between partitions
  std::vector<Tensor> bound_inputs_;  // only kept for outputs that are inputs
  std::vector<Tensor> kept_outputs_;
  bool single_ = false;
};

}  // namespace axle
