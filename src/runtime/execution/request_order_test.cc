#include "runtime/execution/request_order.h"

#include <gmock/gmock.h>

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::StatusIs;
using namespace std::chrono_literals;

TEST(RequestOrder, WhoIsDoneFirstWaitsForThoseBefore) {
  RequestOrder order;
  std::mutex mutex;
  std::vector<int> left;
  std::vector<std::thread> threads;
  std::vector<std::unique_ptr<RequestOrder::Ticket>> tickets;
  for (int i = 0; i < 4; ++i) tickets.push_back(std::make_unique<RequestOrder::Ticket>(&order));
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      std::this_thread::sleep_for((3 - i) * 5ms);  // the last is done first
      EXPECT_THAT(tickets[static_cast<size_t>(i)]->wait(CancelToken::none()), IsOk());
      {
        const std::lock_guard lock(mutex);
        left.push_back(i);
      }
      tickets[static_cast<size_t>(i)].reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(left, ElementsAre(0, 1, 2, 3));
}

TEST(RequestOrder, NobodyWaitsForOneThatIsGone) {
  RequestOrder order;
  std::optional<RequestOrder::Ticket> failed(std::in_place, &order);
  RequestOrder::Ticket second(&order);
  failed.reset();
  EXPECT_THAT(second.wait(CancelToken::none()), IsOk());
}

TEST(RequestOrder, ADeadlinePassesWhileItWaits) {
  RequestOrder order;
  RequestOrder::Ticket first(&order);
  RequestOrder::Ticket second(&order);
  const CancelToken soon = CancelToken::with_deadline(std::chrono::steady_clock::now() + 10ms);
  EXPECT_THAT(second.wait(soon), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(first.wait(CancelToken::none()), IsOk());
}

TEST(RequestOrder, WithoutAnOrderNothingWaits) {
  RequestOrder::Ticket ticket(nullptr);
  EXPECT_THAT(ticket.wait(CancelToken::none()), IsOk());
}

}  // namespace
}  // namespace axle
