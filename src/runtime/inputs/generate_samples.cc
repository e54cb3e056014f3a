// Generated inputs at sizes that the model runs on: 16 elements are no sound, and 16 pixels no picture.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "axle/session.h"
#include "base/logging.h"
#include "base/text.h"
#include "runtime/facts/model_facts.h"
#include "runtime/failures.h"
#include "runtime/inputs/generate_inputs.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

constexpr const char* kRemembered = "sample-size";
constexpr const char* kGeneratedKind = "generated-samples";
constexpr int64_t kUsual = 16;
// What unknown axes are given, one after the other, until a run gives something: 576 are 36 ms of sound at 16 kHz with what went
// before, 16000 a second of it; all are multiples of 32, for what halves its input over and over.
constexpr std::array<int64_t, 6> kSizes = {kUsual, 64, 576, 1024, 4096, 16000};
constexpr int64_t kMostElements = int64_t{1} << 24;  // of one input

// Whether some axis is unknown and nobody gave it a size.
bool has_open_axis(const Model& model, const GenerateOptions& options) {
  return std::ranges::any_of(model.inputs(), [&](const IoSpec& spec) {
    return !spec.optional && std::ranges::any_of(spec.shape, [&](const Dim& dim) {
      return !dim.is_static() && !options.axes.contains(dim.symbol);
    });
  });
}

// Leading axes stay 1, a batch, where there are others to make larger.
GenerateOptions at_size(const Model& model, GenerateOptions options, int64_t size) {
  if (size == kUsual) return options;
  GenerateOptions larger = options;
  larger.inner_axis_size = size;
  if (generated_shapes(model, larger) != generated_shapes(model, options)) return larger;
  options.axis_size = size;
  return options;
}

bool too_large(const Model& model, const GenerateOptions& options) {
  return std::ranges::any_of(generated_shapes(model, options), [](const Shape& shape) {
    int64_t count = 1;
    for (const int64_t size : shape) {
      if (__builtin_mul_overflow(count, size, &count)) return true;
    }
    return count > kMostElements;
  });
}

// The first axis that is made larger.
std::string grown_axis(const Model& model, const GenerateOptions& options) {
  const std::vector<Shape> before = generated_shapes(model, options);
  const std::vector<Shape> after = generated_shapes(model, at_size(model, options, kSizes.back()));
  size_t input = 0;
  for (const IoSpec& spec : model.inputs()) {
    if (spec.optional) continue;
    for (size_t axis = 0; axis < before[input].size(); ++axis) {
      const std::string& symbol = spec.shape[axis].symbol;
      if (before[input][axis] != after[input][axis])
        return fmt::format("axis {}{} of input '{}'", axis, symbol.empty() ? "" : " (" + symbol + ")", spec.name);
    }
    ++input;
  }
  return "unknown axes";
}

std::string memo_key(const Model& model, const GenerateOptions& options) {
  std::string key = model.digest();
  for (const auto& [axis, size] : options.axes) key += fmt::format("\t{}={}", axis, size);
  return key;
}

std::optional<int64_t> known_size(Runtime& runtime, const std::string& key) {
  const auto text = runtime.state().recall(kRemembered, key);
  int64_t size = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), size).ec != std::errc()) return std::nullopt;
  return std::ranges::find(kSizes, size) == kSizes.end() ? std::nullopt : std::optional(size);
}

Result<GeneratedSamples> samples_at(const Model& model, const GenerateOptions& options, int64_t size) {
  GeneratedSamples samples;
  AXLE_ASSIGN_OR_RETURN(samples.tensors, generate_inputs(model, at_size(model, options, size)));
  samples.usual = size == kUsual;
  samples.note = fmt::format("inputs were generated, unknown axes set to 1 or {}{}", size,
                             samples.usual ? "" : ": smaller ones do not run");
  return samples;
}

// What the plan under `policy` makes of the samples. Nothing measured, nothing kept; nullopt: no plan could be loaded.
std::optional<Result<std::vector<NamedTensor>>> outputs_under(Runtime& runtime, const Model& model, const Policy& policy,
                                                              const std::vector<NamedTensor>& samples,
                                                              const CancelToken& cancel) {
  PlanRequest request;
  request.policy = policy;
  request.samples = samples;
  request.cancel = cancel;
  const auto planned = make_plan(runtime, model, request);
  if (!planned) return std::nullopt;
  SessionOptions options;
  options.policy = policy;
  options.samples = samples;
  options.cancel = cancel;
  options.runtime = std::shared_ptr<Runtime>(&runtime, [](Runtime*) {});
  const auto session = Session::load(model, planned->plan, std::move(options));
  if (!session) return std::nullopt;
  RunOptions run;
  run.cancel = cancel;
  return session->run(samples, run);
}

// At the model's own precision, which is what any other is judged against; under the whole policy where that cannot be had.
std::optional<Result<std::vector<NamedTensor>>> try_run(Runtime& runtime, const Model& model, const SampleOptions& options,
                                                        const std::vector<NamedTensor>& samples) {
  Policy policy = options.policy;
  policy.tuning = {};
  policy.constraints = {};
  policy.schedule.batch = 1;
  policy.schedule.batch_wait_ns = 0;
  Policy plain = policy;
  plain.accuracy = {};
  plain.execution.precisions.clear();
  auto outputs = outputs_under(runtime, model, plain, samples, options.cancel);
  return outputs ? outputs : outputs_under(runtime, model, policy, samples, options.cancel);
}

Result<GeneratedSamples> search(Runtime& runtime, const Model& model, const SampleOptions& options,
                                const GenerateOptions& generate) {
  const std::string key = memo_key(model, generate);
  std::optional<std::pair<int64_t, GeneratedSamples>> empty;  // the first that ran, and gave nothing
  Status failure;
  std::string tried;
  for (const int64_t size : kSizes) {
    if (size != kUsual && too_large(model, at_size(model, generate, size))) break;
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, samples_at(model, generate, size));
    const auto outputs = try_run(runtime, model, options, samples.tensors);
    AXLE_RETURN_IF_ERROR(options.cancel.check());
    // Whoever asked for the samples will be told why when the plan is made.
    if (!outputs) return samples_at(model, generate, kUsual);
    tried += fmt::format("{}{}", tried.empty() ? "" : ", ", size);
    if (*outputs && !gives_nothing(samples.tensors, **outputs)) {
      runtime.state().remember(kRemembered, key, std::to_string(size));
      return samples;
    }
    if (*outputs) {
      if (!empty) empty.emplace(size, std::move(samples));
      continue;
    }
    if (is_of_the_moment(outputs->error().code())) return outputs->error();  // it says nothing of the samples
    AXLE_LOG(kInfo, "runtime", "generated inputs of size {} do not run: {}", size, outputs->error().to_string());
    if (failure.ok()) failure = outputs->error();
  }
  if (empty) {
    // A detector that finds nothing in noise is right.
    runtime.state().remember(kRemembered, key, std::to_string(empty->first));
    empty->second.note += fmt::format("; an output holds nothing at any of the sizes tried ({})", tried);
    return std::move(empty->second);
  }
  return std::move(failure)
      .with_context(fmt::format("no generated size of {} gives a run (tried {})", grown_axis(model, generate), tried))
      .with_hint("give real inputs: --inputs FILE.npz, or sizes of named axes in the policy's [shapes]");
}

}  // namespace

bool gives_nothing(std::span<const NamedTensor> inputs, std::span<const NamedTensor> outputs) {
  const auto is_empty = [](const NamedTensor& tensor) {
    return std::ranges::find(tensor.tensor.shape(), 0) != tensor.tensor.shape().end();
  };
  return std::ranges::any_of(outputs, is_empty) && std::ranges::none_of(inputs, is_empty);
}

bool is_generated(Runtime& runtime, const Model& model, const std::string& digest) {
  return runtime.state().recall(kGeneratedKind, model.digest() + digest).has_value();
}

namespace {

Result<GeneratedSamples> generate_at_size(Runtime& runtime, const Model& model, const SampleOptions& options) {
  GenerateOptions generate;
  generate.seed = options.seed;
  generate.axes = first_prepared_sizes(options.policy);
  if (!has_open_axis(model, generate)) {
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, samples_at(model, generate, kUsual));
    samples.note = "inputs were generated";
    return samples;
  }
  const auto known = known_size(runtime, memo_key(model, generate));
  if (known || !options.may_run) return samples_at(model, generate, known.value_or(kUsual));
  return search(runtime, model, options, generate);
}

}  // namespace

Result<GeneratedSamples> generate_samples(Runtime& runtime, const Model& model, const SampleOptions& options) {
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples samples, generate_at_size(runtime, model, options));
  // A caller may hand them over as its own: they are no better for it. Those of seed 0 are made anew to compare.
  if (options.seed != 0) runtime.state().remember(kGeneratedKind, model.digest() + samples_digest(samples.tensors), "1");
  return samples;
}

std::string known_sample_size(Runtime& runtime, const Model& model, const Policy& policy) {
  GenerateOptions generate;
  generate.axes = first_prepared_sizes(policy);
  const auto known = has_open_axis(model, generate) ? known_size(runtime, memo_key(model, generate)) : std::nullopt;
  return known ? std::to_string(*known) : "";
}

}  // namespace axle
