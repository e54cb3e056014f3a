// SessionCore: what stands behind axle.Session in Python. Thread-safe under the GIL; run() releases it.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "axle/lock.h"
#include "axle/session.h"
#include "lane.h"
#include "watched_call.h"

namespace axle::python {

class SessionCore {
 public:
  struct Options {
    SessionOptions session;
    std::optional<Plan> plan;  // load exactly this one
    std::optional<Lock> lock;  // or exactly what this one says, where it holds
  };
  // GIL held. Blocks; see run_watched.
  SessionCore(const Model& model, Options options, Watch& watch);
  // Over a session that is loaded already.
  SessionCore(Session session, const Model& model, const Policy& policy, std::shared_ptr<Runtime> runtime);
  ~SessionCore();
  SessionCore(const SessionCore&) = delete;
  SessionCore& operator=(const SessionCore&) = delete;

  // GIL held. {name: array} -> {name: fresh array}.
  nanobind::object run(nanobind::handle feeds, const CancelToken* cancel, int64_t timeout_ns);
  // GIL held. The same with the tensors as Session::run gives them: {name: axle.Tensor}.
  nanobind::object run_tensors(nanobind::handle feeds, const CancelToken* cancel, int64_t timeout_ns);

  const Session& session() const noexcept { return *session_; }
  const Model& model() const noexcept { return model_; }
  const Policy& policy() const noexcept { return policy_; }
  const std::vector<NamedTensor>& samples() const noexcept { return samples_; }
  const std::shared_ptr<Runtime>& runtime() const noexcept { return runtime_; }
  const std::optional<Lock>& lock() const noexcept { return lock_; }
  uint64_t copies() const noexcept { return copies_; }

 private:
  class Call;
  std::unique_ptr<Lane> take_lane(nanobind::handle feeds);
  std::unique_ptr<Lane> new_lane(const std::vector<NamedTensor>& like) const;
  // The feeds where the plan has prepared shapes, of which a lane serves one; else none. And their shapes as text.
  std::vector<NamedTensor> shaped_like(nanobind::handle feeds) const;
  static std::string shapes_of(const std::vector<NamedTensor>& like);
  void give_back(std::unique_ptr<Lane> lane) noexcept;
  void set_inputs(Lane& lane, nanobind::handle feeds);
  void require_inputs(const Lane& lane) const;
  void count_copy(const InputSlot& slot, size_t index);
  std::vector<NamedTensor> kept_feeds(nanobind::handle feeds);
  void look_at_session();
  [[noreturn]] void refuse_name(nanobind::handle key) const;
  std::unique_ptr<Lane> prepared_lane(nanobind::handle feeds);
  Status call_engine(Lane& lane, const CancelToken* cancel, int64_t timeout_ns);
  bool may_be_long(Lane& lane) noexcept;
  bool allocate_instead(const Status& status);

  Model model_;
  Policy policy_;
  std::vector<NamedTensor> samples_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Lock> lock_;
  std::optional<Session> session_;
  IoTable table_;
  bool has_prepared_shapes_ = false;
  std::vector<std::unique_ptr<Lane>> idle_;
  std::vector<bool> copy_said_;
  uint64_t copies_ = 0;
  bool quick_ = false;  // the last run with these shapes took no time worth interrupting
};

}  // namespace axle::python
