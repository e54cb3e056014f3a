#include "runtime/execution/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace axle {
namespace {

bool is_fixed(const IoSpec& spec) {
  return spec.rank_known && spec.dtype != DataType::kString && spec.dtype != DataType::kUndefined &&
         std::all_of(spec.shape.begin(), spec.shape.end(), [](const Dim& dim) { return dim.is_static(); });
}

Shape fixed_shape(const IoSpec& spec) {
  Shape shape;
  for (const Dim& dim : spec.shape) shape.push_back(dim.size);
  return shape;
}

}  // namespace

Result<LoadedPlan> LoadedPlan::wire(const Plan& plan, std::vector<std::shared_ptr<const Executable>> executables,
                                    std::vector<IoSpec> inputs, std::vector<IoSpec> outputs, size_t first_partition) {
  LoadedPlan loaded;
  loaded.first_partition = first_partition;
  loaded.inputs = std::move(inputs);
  loaded.outputs = std::move(outputs);
  std::map<std::string, TensorSource, std::less<>> made;
  for (size_t i = 0; i < loaded.inputs.size(); ++i) made[loaded.inputs[i].name] = {-1, static_cast<uint32_t>(i)};
  for (size_t p = 0; p < executables.size(); ++p) {
    LoadedPartition part{std::move(executables[p]), {}};
    for (const IoSpec& input : part.executable->io().inputs) {
      const auto found = made.find(input.name);
      if (found == made.end()) {
        return internal_error(fmt::format("partition {} ({}) reads '{}', which nothing before it makes", first_partition + p,
                                          plan.partitions[first_partition + p].candidate.format(), input.name));
      }
      part.inputs.push_back(found->second);
    }
    const auto& results = part.executable->io().outputs;
    // A name that is known already is the same tensor handed through: engines do not write it into a bound output.
    for (size_t i = 0; i < results.size(); ++i) {
      made.emplace(results[i].name, TensorSource{static_cast<int32_t>(p), static_cast<uint32_t>(i)});
    }
    loaded.partitions.push_back(std::move(part));
  }
  for (const IoSpec& output : loaded.outputs) {
    const auto found = made.find(output.name);
    if (found == made.end()) return internal_error("no partition makes the output '" + output.name + "'");
    loaded.outputs_from.push_back(found->second);
  }
  return loaded;
}

Result<Execution> Execution::create(std::shared_ptr<const LoadedPlan> plan) {
  Execution execution(std::move(plan));
  AXLE_RETURN_IF_ERROR(execution.connect());
  return execution;
}

// Is this partition output also an output of the model? Then the caller may bind it, and its readers follow.
bool Execution::shared_output(const TensorSource& source) const {
  return std::find(plan_->outputs_from.begin(), plan_->outputs_from.end(), source) != plan_->outputs_from.end();
}

Status Execution::connect() {
  readers_.resize(plan_->inputs.size());
  bound_inputs_.resize(plan_->inputs.size());
  kept_outputs_.resize(plan_->outputs.size());
  for (const LoadedPartition& part : plan_->partitions) {
    AXLE_ASSIGN_OR_RETURN(Context context, part.executable->make_context());
    contexts_.push_back(std::move(context));
  }
  std::map<std::pair<int32_t, uint32_t>, size_t> fixed;  // partition output -> between_
  for (size_t p = 0; p < plan_->partitions.size(); ++p) {
    first_handover_.push_back(handovers_.size());
    const auto& sources = plan_->partitions[p].inputs;
    for (size_t i = 0; i < sources.size(); ++i) {
      const TensorSource& source = sources[i];
      if (source.partition < 0) {
        readers_[source.index].emplace_back(static_cast<uint32_t>(p), static_cast<uint32_t>(i));
        continue;
      }
      const auto producer = static_cast<size_t>(source.partition);
      const EngineIo& io = plan_->partitions[producer].executable->io();
      const bool bindable = is_fixed(io.outputs[source.index]) && io.output_modes[source.index] != OutputMode::kEngine;
      if (!bindable || shared_output(source)) {
        handovers_.push_back({source, static_cast<int32_t>(p), static_cast<uint32_t>(i)});
        continue;
      }
      const auto key = std::pair(source.partition, source.index);
      if (!fixed.contains(key)) {
        const IoSpec& spec = io.outputs[source.index];
        // Memory that a process of its own sees too is not copied there.
        const bool shared =
            plan_->partitions[producer].executable->is_isolated() || plan_->partitions[p].executable->is_isolated();
        AXLE_ASSIGN_OR_RETURN(Tensor tensor, shared ? Tensor::allocate_shared(spec.dtype, fixed_shape(spec))
                                                    : Tensor::allocate(spec.dtype, fixed_shape(spec)));
        AXLE_RETURN_IF_ERROR(contexts_[producer].bind_output(source.index, tensor));
        fixed[key] = between_.size();
        between_.push_back(std::move(tensor));
      }
      AXLE_RETURN_IF_ERROR(contexts_[p].bind_input(i, between_[fixed[key]]));
    }
  }
  first_handover_.push_back(handovers_.size());
  single_ = contexts_.size() == 1 && handovers_.empty();
  return ok_status();
}

Status Execution::bind_input(size_t index, const Tensor& tensor) {
  for (const auto& [partition, input] : readers_[index]) {
    AXLE_RETURN_IF_ERROR(contexts_[partition].bind_input(input, tensor));
  }
  bound_inputs_[index] = tensor;
  return ok_status();
}

Status Execution::unbind_input(size_t index) {
  if (!bound_inputs_[index].defined()) return ok_status();
  for (const auto& [partition, input] : readers_[index]) {
    AXLE_RETURN_IF_ERROR(contexts_[partition].unbind_input(input));
  }
  bound_inputs_[index] = Tensor();
  return ok_status();
}

Status Execution::bind_output(size_t index, Tensor& tensor) {
  const TensorSource& source = plan_->outputs_from[index];
  if (source.partition < 0) {
    return failed_precondition_error("output '" + plan_->outputs[index].name +
                                     "' is an input of the model: it cannot be bound");
  }
  AXLE_RETURN_IF_ERROR(contexts_[static_cast<size_t>(source.partition)].bind_output(source.index, tensor));
  std::erase_if(open_outputs_, [&](const OpenOutput& open) { return open.index == index; });
  const EngineIo& io = plan_->partitions[static_cast<size_t>(source.partition)].executable->io();
  if (!is_fixed(io.outputs[source.index]) && !io.exact_outputs[source.index])
    open_outputs_.push_back({index, source, tensor.shape()});
  return ok_status();
}

Status Execution::unbind_output(size_t index) {
  const TensorSource& source = plan_->outputs_from[index];
  if (source.partition < 0) return ok_status();
  std::erase_if(open_outputs_, [&](const OpenOutput& open) { return open.index == index; });
  return contexts_[static_cast<size_t>(source.partition)].unbind_output(source.index);
}

Status Execution::run(const CancelToken& cancel, const RunProfile* profile) {
  if (single_ && profile == nullptr && open_outputs_.empty()) return contexts_.front().run(cancel, nullptr);
  return run_parts(&cancel, profile);
}

// An engine that makes less than was promised fills less than what is bound, and says so here alone.
Status Execution::check_open_outputs(int32_t partition) {
  for (const OpenOutput& open : open_outputs_) {
    if (open.from.partition != partition) continue;
    AXLE_ASSIGN_OR_RETURN(const OutputView view, contexts_[static_cast<size_t>(partition)].output(open.from.index));
    if (std::ranges::equal(view.shape, open.shape)) continue;
    return out_of_range_error(fmt::format("output '{}' of this run is {}, and {} is bound", plan_->outputs[open.index].name,
                                          format_shape(Shape(view.shape.begin(), view.shape.end())), format_shape(open.shape)))
        .with_hint("bind a tensor of the result's shape, or none: then the engine's is read with output()");
  }
  return ok_status();
}

Status Execution::hand_over(const Handover& edge) {
  AXLE_ASSIGN_OR_RETURN(const OutputView view, contexts_[static_cast<size_t>(edge.from.partition)].output(edge.from.index));
  const axle_tensor_t tensor{sizeof(axle_tensor_t),
                             static_cast<int32_t>(view.dtype),
                             static_cast<int32_t>(view.shape.size()),
                             view.shape.data(),
                             view.data,
                             view.size_bytes,
                             static_cast<int32_t>(view.memory_space),
                             0};
  return contexts_[static_cast<size_t>(edge.to_partition)].bind_input(edge.to_index, tensor);
}

Status Execution::run_part(size_t part, const CancelToken* cancel, const RunProfile* profile) {
  for (size_t edge = first_handover_[part]; edge < first_handover_[part + 1]; ++edge) {
    AXLE_RETURN_IF_ERROR(hand_over(handovers_[edge]));
  }
  if (profile == nullptr) {
    AXLE_RETURN_IF_ERROR(cancel != nullptr ? contexts_[part].run(*cancel) : contexts_[part].run());
    return open_outputs_.empty() ? ok_status() : check_open_outputs(static_cast<int32_t>(part));
  }
  RunProfile mine = *profile;
  const size_t partition = plan_->first_partition + part;
  mine.partition = static_cast<int32_t>(partition);
  const bool named = mine.partition_names != nullptr;
  const TraceSpan span(named ? mine.sink : nullptr, TraceCategory::kPartition,
                       named ? mine.partition_names[partition] : TraceText{}, mine.partition, mine.run);
  AXLE_RETURN_IF_ERROR(contexts_[part].run(cancel != nullptr ? *cancel : CancelToken::none(), &mine));
  return check_open_outputs(static_cast<int32_t>(part));
}

Status Execution::run_parts(const CancelToken* cancel, const RunProfile* profile) {
  for (size_t part = 0; part < contexts_.size(); ++part) AXLE_RETURN_IF_ERROR(run_part(part, cancel, profile));
  return ok_status();
}

Result<OutputView> Execution::output(size_t index) {
  const TensorSource& source = plan_->outputs_from[index];
  if (source.partition >= 0) return contexts_[static_cast<size_t>(source.partition)].output(source.index);
  Tensor& tensor = bound_inputs_[source.index];
  if (!tensor.defined())
    return failed_precondition_error("output '" + plan_->outputs[index].name + "' is an input that is not bound");
  return OutputView{tensor.dtype(), tensor.shape(), const_cast<void*>(tensor.data()), tensor.size_bytes(),
                    tensor.memory_space()};
}

}  // namespace axle
