// Random models, divided at random among engines and core sets, give what one engine gives for the whole model.
//   axle_differential [--count N] [--first SEED] [--engines NAME,NAME] [--reference NAME]
// A failure names the seed; the same seed makes the same model and the same division.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>

#include "axle/session.h"
#include "random_model.h"

namespace axle::conformance {
namespace {

constexpr double kTolerance = 1e-4;  // of the largest magnitude, where values are not whole numbers
constexpr int kSkipped = 77;           // an engine is not here
constexpr double kStay = 0.55;       // chance that a node goes where the one before it went

struct Options {
  uint64_t first = 1, count = 1000;
  std::vector<std::string> engines = {"onnxruntime"};
  std::string reference = "onnxruntime";
};

struct Totals {
  uint64_t models = 0, parts = 0, most_parts = 0, nodes = 0, exact = 0, close = 0;
};

struct Place {
  std::string engine, resource;
};

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

Result<std::vector<NamedTensor>> run(const Model& model, const RandomModel& random, SessionOptions options) {
  AXLE_ASSIGN_OR_RETURN(const Session session, Session::create(model, std::move(options)));
  return session.run(random.inputs);
}

template <typename T>
std::string compare_equal(const Tensor& got, const Tensor& wanted) {
  const auto a = got.as<T>(), b = wanted.as<T>();
  for (size_t i = 0; i < b.size(); ++i) {
    if (a[i] != b[i]) return fmt::format("element {}: {} instead of {}", i, a[i], b[i]);
  }
  return "";
}

std::string compare_close(const Tensor& got, const Tensor& wanted) {
  const auto a = got.as<float>(), b = wanted.as<float>();
  double largest = 1e-30, worst = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
    const double apart = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(apart <= worst)) worst = apart;  // NaN counts
  }
  return worst <= kTolerance * largest ? "" : fmt::format("{:.2e} of the largest value", worst / largest);
}

// What is wrong, or nothing.
std::string compare(const Tensor& got, const Tensor& wanted, bool exact) {
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) return "another type or shape";
  switch (wanted.dtype()) {
    case DataType::kFloat32: return exact ? compare_equal<float>(got, wanted) : compare_close(got, wanted);
    case DataType::kInt64: return compare_equal<int64_t>(got, wanted);
    case DataType::kBool: return compare_equal<bool>(got, wanted);
    default: return "a type that is not compared";
  }
}

class Differential {
 public:
  Differential(std::shared_ptr<Runtime> runtime, const Options& options, std::vector<Place> places)
      : runtime_(std::move(runtime)), options_(options), places_(std::move(places)) {}

  // What is wrong with this seed, or nothing.
  Result<std::string> check(uint64_t seed) {
    const RandomModel random = random_model(seed);
    AXLE_ASSIGN_OR_RETURN(const Model model, Model::from_bytes(bytes_of(random.bytes)));
    AXLE_ASSIGN_OR_RETURN(const auto wanted, run(model, random, whole()));
    AXLE_ASSIGN_OR_RETURN(const Session session, Session::create(model, divided(random, seed)));
    AXLE_ASSIGN_OR_RETURN(const auto got, session.run(random.inputs));
    ++totals_.models;
    totals_.nodes += random.nodes.size();
    totals_.parts += session.plan().partitions.size();
    totals_.most_parts = std::max<uint64_t>(totals_.most_parts, session.plan().partitions.size());
    if (got.size() != wanted.size()) return fmt::format("{} outputs instead of {}", got.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      const bool exact = random.outputs[i].exact;
      ++(exact ? totals_.exact : totals_.close);
      if (const std::string wrong = compare(got[i].tensor, wanted[i].tensor, exact); !wrong.empty())
        return fmt::format("output {}: {}", wanted[i].name, wrong);
    }
    return std::string();
  }
  const Totals& totals() const { return totals_; }

 private:
  SessionOptions whole() const {
    SessionOptions options;
    options.runtime = runtime_;
    options.policy.execution.threads = 1;
    options.policy.engines.allow = {options_.reference};
    return options;
  }

  SessionOptions divided(const RandomModel& random, uint64_t seed) const {
    SessionOptions options;
    options.runtime = runtime_;
    options.policy.execution.threads = 1;
    options.policy.engines.allow = options_.engines;
    options.policy.schedule.mixing = Mixing::kAllowed;
    if (places_.size() > options_.engines.size()) options.policy.resources.split["cpu:0"] = {{0}, {1}};
    std::mt19937_64 dice(seed);
    size_t at = dice() % places_.size();
    for (const std::string& node : random.nodes) {
      if (std::uniform_real_distribution<double>()(dice) > kStay) at = dice() % places_.size();
      Pin pin;
      pin.nodes = {node};
      pin.require = PinTarget{places_[at].engine, places_[at].resource, "", ""};
      options.policy.pins.push_back(std::move(pin));
    }
    return options;
  }

  std::shared_ptr<Runtime> runtime_;
  const Options& options_;
  const std::vector<Place> places_;
  Totals totals_;
};

int run_all(const Options& options) {
  RuntimeOptions runtime_options;
  runtime_options.use_cache = false;
  runtime_options.engines = options.engines;
  if (std::find(options.engines.begin(), options.engines.end(), options.reference) == options.engines.end())
    runtime_options.engines.push_back(options.reference);
  auto runtime = Runtime::create(runtime_options);
  for (const std::string& name : runtime ? runtime_options.engines : std::vector<std::string>()) {
    const auto engine = (*runtime)->engines().open(name);
    if (engine) continue;
    fmt::print(stderr, "{}\n", engine.error().to_string());
    return engine.error().code() == StatusCode::kUnavailable ? kSkipped : 1;
  }
  const auto machine = runtime ? (*runtime)->machine() : Result<Machine>(runtime.error());
  if (!machine) {
    fmt::print(stderr, "{}\n", machine.error().to_string());
    return 1;
  }
  const auto cpu =
      std::find_if(machine->resources.begin(), machine->resources.end(), [](const Resource& r) { return r.id == "cpu:0"; });
  const bool two_sets = cpu != machine->resources.end() && cpu->cpus.size() >= 2;
  std::vector<Place> places;
  for (const std::string& engine : options.engines) {
    if (two_sets)
      places.insert(places.end(), {{engine, "cpu:0/0"}, {engine, "cpu:0/1"}});
    else
      places.push_back({engine, "cpu:0"});
  }
  Differential differential(*runtime, options, places);
  uint64_t wrong = 0;
  const auto started = std::chrono::steady_clock::now();
  for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    const auto found = differential.check(seed);
    if (found && found->empty()) continue;
    ++wrong;
    fmt::print("seed {}: {}\n", seed, found ? *found : found.error().to_string());
    if (wrong >= 20) break;
  }
  const Totals& t = differential.totals();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  fmt::print(
      "{} models of {:.1f} nodes, in {:.1f} parts ({} at most) on {}: {} outputs equal to the bit, {} within {:g}, {} wrong; "
      "{:.0f} s\n",
      t.models, static_cast<double>(t.nodes) / static_cast<double>(std::max<uint64_t>(t.models, 1)),
      static_cast<double>(t.parts) / static_cast<double>(std::max<uint64_t>(t.models, 1)), t.most_parts,
      fmt::join(options.engines, " and "), t.exact, t.close, kTolerance, wrong, seconds);
  const bool divided = places.size() < 2 || t.parts > 2 * t.models;
  return wrong == 0 && t.models > 0 && divided ? 0 : 1;
}

}  // namespace
}  // namespace axle::conformance

int main(int argc, char** argv) {
  axle::conformance::Options options;
  CLI::App app("Divides random models at random and compares with one engine alone.");
  app.add_option("--count", options.count, "how many models")->capture_default_str();
  app.add_option("--first", options.first, "seed of the first")->capture_default_str();
  app.add_option("--engines", options.engines, "engines that share the models")->delimiter(',');
  app.add_option("--reference", options.reference, "engine that runs them whole")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return axle::conformance::run_all(options);
}
