#include "runtime/measuring/turn.h"

#include <latch>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "runtime/measuring/bind_outputs.h"
#include "runtime/measuring/paired_stats.h"

namespace axle {

Result<Turn> take_turn(std::span<Binding> callers, const BlockLimits& limits, const CancelToken& cancel) {
  std::vector<std::optional<Result<Block>>> blocks(callers.size());
  std::vector<double> rates(callers.size(), 0);
  std::latch ready(static_cast<std::ptrdiff_t>(callers.size()));
  const auto caller = [&](size_t index) {
    Binding& binding = callers[index];
    ready.arrive_and_wait();
    const int64_t started = steady_ns();
    blocks[index] = run_block([&] { return cancel.cancelled() ? cancel.check() : binding.run(); }, limits);
    if (!blocks[index]->ok()) return;
    rates[index] = static_cast<double>((*blocks[index])->calls) / static_cast<double>(steady_ns() - started) * 1e9;
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < callers.size(); ++i) threads.emplace_back(caller, i);
  caller(0);
  for (std::thread& thread : threads) thread.join();
  Turn turn;
  for (size_t i = 0; i < callers.size(); ++i) {
    AXLE_RETURN_IF_ERROR(blocks[i]->status());
    const Block& block = **blocks[i];
    turn.block.call_ns.insert(turn.block.call_ns.end(), block.call_ns.begin(), block.call_ns.end());
    turn.calls_per_s += rates[i];
  }
  turn.block.median_ns = quantile(turn.block.call_ns, 0.5);
  return turn;
}

Result<std::vector<Binding>> make_callers(const Session& session, const std::vector<NamedTensor>& samples, int32_t count) {
  std::vector<Binding> callers;
  for (int32_t i = 0; i < count; ++i) {
    AXLE_ASSIGN_OR_RETURN(Binding binding, session.make_binding(samples));
    for (const NamedTensor& sample : samples) {
      AXLE_ASSIGN_OR_RETURN(const Tensor own, sample.tensor.clone());
      AXLE_RETURN_IF_ERROR(binding.bind_input(sample.name, own));
    }
    AXLE_RETURN_IF_ERROR(binding.run());
    AXLE_RETURN_IF_ERROR(bind_fresh_outputs(session, binding));
    callers.push_back(std::move(binding));
  }
  return callers;
}

}  // namespace axle
