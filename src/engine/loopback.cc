#include "engine/loopback.h"

#include <array>
#include <atomic>
#include <chrono>
#include <future>

#include "engine/flat_client.h"
#include "engine/flat_server.h"

namespace axle {
namespace {

class LoopbackChannel final : public FlatChannel {
 public:
  explicit LoopbackChannel(std::shared_ptr<const Plugin> plugin)
      : server_(std::move(plugin), [this](const std::string& notice) { receive_(notice); }) {}

  Result<std::string> call(const std::string& request, std::span<const FlatAttachment> attachments,
                           const std::function<void()>& poll) override {
    AXLE_RETURN_IF_ERROR(server_.attach(attachments));
    auto reply = std::async(std::launch::async, [&] { return server_.serve(request); });
    while (reply.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
      if (poll) poll();
    }
    return reply.get();
  }
  void on_notice(std::function<void(const std::string&)> receive) override { receive_ = std::move(receive); }

 private:
  std::function<void(const std::string&)> receive_ = [](const std::string&) {};
  FlatServer server_;
};

}  // namespace

struct Loopback::State {
  std::shared_ptr<FlatClient> client;
  axle_engine_api_t table{};
};

namespace {

constexpr int kSlots = 8;
std::array<std::atomic<Loopback::State*>, kSlots> g_slots{};

template <int Slot>
struct LoopbackSlot {
  static axle_error_t* create(const axle_create_args_t* args, axle_engine_t** out) {
    return g_slots[Slot].load()->client->create_engine(args, out);
  }
  static axle_error_t* describe(axle_engine_t* engine, axle_buffer_t* out) {
    return g_slots[Slot].load()->client->describe_engine(engine, out);
  }
  static const axle_engine_api_t* query(const axle_host_api_t*) {
    Loopback::State* state = g_slots[Slot].load();
    if (state == nullptr) return nullptr;
    state->table = state->client->table();
    state->table.create = &create;
    state->table.describe = &describe;
    return &state->table;
  }
};

template <int... Slots>
constexpr std::array<axle_engine_query_t, kSlots> make_queries(std::integer_sequence<int, Slots...>) {
  return {&LoopbackSlot<Slots>::query...};
}
constexpr auto kQueries = make_queries(std::make_integer_sequence<int, kSlots>());

}  // namespace

Loopback::Loopback(std::unique_ptr<State> state, int slot) noexcept : state_(std::move(state)), slot_(slot) {}

Loopback::~Loopback() { g_slots[static_cast<size_t>(slot_)].store(nullptr); }

Result<std::unique_ptr<Loopback>> Loopback::create(std::shared_ptr<const Plugin> plugin) {
  auto state = std::make_unique<State>();
  AXLE_ASSIGN_OR_RETURN(state->client, FlatClient::create(std::make_shared<LoopbackChannel>(std::move(plugin))));
  for (int slot = 0; slot < kSlots; ++slot) {
    State* expected = nullptr;
    if (g_slots[static_cast<size_t>(slot)].compare_exchange_strong(expected, state.get())) {
      return std::unique_ptr<Loopback>(new Loopback(std::move(state), slot));
    }
  }
  return resource_exhausted_error("more than 8 loopbacks at a time");
}

axle_engine_query_t Loopback::query() const noexcept { return kQueries[static_cast<size_t>(slot_)]; }

}  // namespace axle
