#include "choice.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "axle/convert.h"
#include "console.h"

namespace axle::cli {

void ChoiceFlags::declare(Arguments& arguments) {
  arguments.group("Choice");
  arguments.option(policy_file, "--policy", "FILE", "policy as TOML; the flags below override it");
  arguments.option(device, "--device", "SELECTOR[,...]", "where it may run: cpu, gpu:0, npu, igpu, cpu:0/1, gpu@nvidia");
  arguments.option(engine, "--engine", "NAME", "this engine and no other");
  arguments.option(precision, "--precision", "P[,P]", "one = forced, several = gated in this order: f32, bf16, f16, int8");
  arguments.option(threads, threads_flag, "N", "compute threads");
  arguments.option(objective, "--objective", "WHAT", "latency, throughput, energy, cost, memory or hybrid");
  arguments.option(allow_fallback, "--allow-fallback", "SELECTOR[,...]",
                   "resources that may stand in when the target is missing");
  arguments.flag(allow_simulated, "--allow-simulated", "emulated devices count as devices; results and plans are marked");
  arguments.option(kernel, "--kernel", "OP=NAME", "force a kernel for an operator");
  arguments.option(tuning_budget, "--tuning-budget", "TIME", "measure candidates for at most this long: 10s");
}

Result<Policy> ChoiceFlags::policy(bool with_config) const {
  Policy policy;
  const char* config = with_config && policy_file.empty() ? std::getenv("AXLE_CONFIG") : nullptr;
  if (!policy_file.empty()) {
    AXLE_ASSIGN_OR_RETURN(policy, load_policy(policy_file));
  } else if (config != nullptr && config[0] != '\0') {
    auto standing = load_policy(config);
    if (!standing) return std::move(standing).error().with_context("AXLE_CONFIG");
    policy = *std::move(standing);
  }
  const auto apply = [&](const char* flag, const std::string& value) {
    return value.empty() ? ok_status() : apply_policy_flag(policy, flag, value);
  };
  const auto joined = [](const std::vector<std::string>& pieces) {
    std::string text;
    for (const std::string& piece : pieces) text += (text.empty() ? "" : ",") + piece;
    return text;
  };
  AXLE_RETURN_IF_ERROR(apply("device", joined(device)));
  AXLE_RETURN_IF_ERROR(apply("engine", engine));
  AXLE_RETURN_IF_ERROR(apply("precision", joined(precision)));
  AXLE_RETURN_IF_ERROR(apply("threads", threads));
  AXLE_RETURN_IF_ERROR(apply("objective", objective));
  AXLE_RETURN_IF_ERROR(apply("allow-fallback", joined(allow_fallback)));
  for (const std::string& choice : kernel) AXLE_RETURN_IF_ERROR(apply("kernel", choice));
  AXLE_RETURN_IF_ERROR(apply("tuning-budget", tuning_budget));
  if (allow_simulated) policy.resources.allow_simulated = true;
  return policy;
}

std::string ChoiceFlags::first_given() const {
  const std::pair<const char*, bool> flags[] = {{"--policy", !policy_file.empty()},
                                                {"--device", !device.empty()},
                                                {"--engine", !engine.empty()},
                                                {"--precision", !precision.empty()},
                                                {threads_flag.c_str(), !threads.empty()},
                                                {"--objective", !objective.empty()},
                                                {"--allow-fallback", !allow_fallback.empty()},
                                                {"--allow-simulated", allow_simulated},
                                                {"--kernel", !kernel.empty()},
                                                {"--tuning-budget", !tuning_budget.empty()}};
  for (const auto& [name, given] : flags) {
    if (given) return name;
  }
  return "";
}

Result<int64_t> duration_flag(const std::string& flag, const std::string& value) {
  auto duration = parse_duration(value);
  if (!duration) return std::move(duration).error().with_context(flag);
  return duration;
}

std::vector<std::string> comma_separated(const std::string& text) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    if (end > at) pieces.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return pieces;
}

void InputFlags::declare(Arguments& arguments) {
  arguments.group("Inputs");
  arguments.option(npz, "--inputs", "FILE.npz", "all inputs by name");
  arguments.option(named, "--input", "NAME=FILE.npy", "one input; may be repeated");
  arguments.option(random_seed, "--random", "SEED",
                   "generated inputs that the model can digest, larger ones where those do not run");
}

void InputFlags::finish(const Arguments& arguments) { random = arguments.given("--random"); }

Result<Model> InputFlags::open_model(Runtime& runtime, const std::string& path, bool verify,
                                     const ProgressCallback& progress) const {
  AXLE_ASSIGN_OR_RETURN(Model model, axle::open_model(runtime, path, verify));
  if (!needs_conversion(model.format())) return model;
  ConvertOptions options;
  options.progress = progress;
  options.cancel = interrupt_token();
  if (!random) {
    AXLE_ASSIGN_OR_RETURN(options.samples, load_files());
  }
  AXLE_ASSIGN_OR_RETURN(Model onnx, convert_model(runtime, model, options));
  if (const auto guessed = onnx.metadata().find("axle.guessed_inputs"); guessed != onnx.metadata().end()) {
    std::fprintf(stderr, "axle: %s does not say what its inputs look like: converted for %s, the first guess that it runs on\n",
                 path.c_str(), guessed->second.c_str());
  }
  return onnx;
}

Result<GeneratedSamples> InputFlags::load(Runtime& runtime, const Model& model, const Policy& policy) const {
  return load_or_generate(runtime, model, policy, false);
}

Result<GeneratedSamples> InputFlags::load_to_measure(Runtime& runtime, const Model& model, const Policy& policy) const {
  return load_or_generate(runtime, model, policy, true);
}

Result<GeneratedSamples> InputFlags::load_or_generate(Runtime& runtime, const Model& model, const Policy& policy,
                                                      bool may_run) const {
  if (random) {
    if (!npz.empty() || !named.empty()) {
      return invalid_argument_error("--random cannot be combined with --inputs or --input");
    }
    SampleOptions options;
    options.seed = static_cast<uint64_t>(random_seed);
    options.policy = policy;
    options.may_run = may_run;
    options.cancel = interrupt_token();
    auto samples = generate_samples(runtime, model, options);
    if (samples || samples.error().code() != StatusCode::kUnimplemented) return samples;
    // Nothing of this version is missing: these inputs cannot be asked for.
    return invalid_argument_error("--random: " + samples.error().message()).with_hint(samples.error().hint());
  }
  GeneratedSamples given;
  AXLE_ASSIGN_OR_RETURN(given.tensors, load_files());
  // Numbers that a PyTorch model takes beside its tensors are constants of what it was converted to, for these inputs.
  std::erase_if(given.tensors,
                [&](const NamedTensor& tensor) { return model.metadata().contains("axle.fixed." + tensor.name); });
  return given;
}

Result<std::vector<NamedTensor>> InputFlags::load_files() const {
  std::vector<NamedTensor> tensors;
  if (!npz.empty()) {
    auto archive = load_npz(npz);
    if (!archive) {
      return std::move(archive)
          .error()
          .with_context("--inputs")
          .with_hint(
              "it takes an archive of numpy.savez: numpy.savez(\"in.npz\", NAME=array, ...); for one .npy file: --input "
              "NAME=FILE.npy");
    }
    tensors = *std::move(archive);
  }
  for (const std::string& pair : named) {
    // An input name may hold '=' or ':'; a file name after the last '=' rarely does.
    const size_t equals = pair.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return invalid_argument_error("--input '" + pair + "' is not NAME=FILE.npy")
          .with_hint("NAME is the model's name of it: axle inspect MODEL lists the inputs");
    }
    auto loaded = load_npy(pair.substr(equals + 1));
    if (!loaded) return std::move(loaded).error().with_context("--input " + pair.substr(0, equals));
    Tensor tensor = *std::move(loaded);
    const std::string name = pair.substr(0, equals);
    std::erase_if(tensors, [&](const NamedTensor& other) { return other.name == name; });
    tensors.push_back({name, std::move(tensor)});
  }
  return tensors;
}

void OutputFlags::declare(Arguments& arguments) {
  arguments.group("Output");
  arguments.flag(json, "--json", "one JSON document on stdout and nothing else");
  arguments.flag(quiet, "-q,--quiet", "only what was asked for");
  arguments.flag(verbose, "-v,--verbose", "every candidate and reason");
}

}  // namespace axle::cli
