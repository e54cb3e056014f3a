#include "engine/worker.h"

#include <algorithm>

#include "base/json.h"
#include "engine/flat_client.h"

namespace axle {
namespace {

class Worker final : public RemoteEngine {
 public:
  Worker(std::shared_ptr<WorkerChannel> channel, std::shared_ptr<FlatClient> client)
      : channel_(std::move(channel)), client_(std::move(client)), cpu_set_(channel_->options().cpu_set) {}

  axle_error_t* create(const axle_create_args_t* args, axle_engine_t** out) override {
    return client_->create_engine(args, out);
  }
  axle_error_t* describe(axle_engine_t* engine, axle_buffer_t* out) override { return client_->describe_engine(engine, out); }

  bool in_first_life() const override { return client_->restarts() == 0 && channel_->life() != 0; }
  Result<std::shared_ptr<const Plugin>> asleep() const override;

  Status amend(EffectiveValues& effective) const override {
    if (cpu_set_.empty()) return ok_status();
    AXLE_ASSIGN_OR_RETURN(const WorkerFigures figures, channel_->figures());
    effective.cpu_set = figures.cpus;
    effective.cpu_set_honoured = std::all_of(figures.cpus.begin(), figures.cpus.end(), [this](int32_t cpu) {
      return std::find(cpu_set_.begin(), cpu_set_.end(), cpu) != cpu_set_.end();
    });
    AXLE_ASSIGN_OR_RETURN(Json answer, parse_json(effective.json));
    answer["cpu_set"] = effective.cpu_set;
    answer["cpu_set_honoured"] = effective.cpu_set_honoured;
    AXLE_ASSIGN_OR_RETURN(effective.json, canonical_json(answer));
    return ok_status();
  }

  void amend(std::map<std::string, double>& counters) const override {
    counters["worker_restarts"] = client_->restarts();
    counters["worker_copied_bytes"] = static_cast<double>(client_->copied_bytes());
    if (const auto figures = channel_->figures()) {
      counters["worker_pid"] = static_cast<double>(figures->pid);
      counters["worker_peak_memory_bytes"] = static_cast<double>(figures->peak_memory_bytes);
    }
  }

 private:
  std::shared_ptr<WorkerChannel> channel_;
  std::shared_ptr<FlatClient> client_;
  std::vector<int32_t> cpu_set_;
};

Result<std::shared_ptr<const Plugin>> plugin_over(std::shared_ptr<WorkerChannel> channel, std::shared_ptr<FlatClient> client) {
  const axle_engine_api_t table = client->table();
  const std::string path = channel->options().plugin_path;
  return Plugin::from_remote(table, std::make_shared<Worker>(std::move(channel), std::move(client)), path);
}

Result<std::shared_ptr<const Plugin>> Worker::asleep() const {
  AXLE_ASSIGN_OR_RETURN(auto channel, WorkerChannel::prepare(channel_->options()));
  AXLE_ASSIGN_OR_RETURN(auto client, client_->asleep(channel));
  return plugin_over(std::move(channel), std::move(client));
}

}  // namespace

Result<std::shared_ptr<const Plugin>> start_worker(const WorkerOptions& options) {
  AXLE_ASSIGN_OR_RETURN(auto channel, WorkerChannel::start(options));
  AXLE_ASSIGN_OR_RETURN(auto client, FlatClient::create(channel));
  return plugin_over(std::move(channel), std::move(client));
}

}  // namespace axle
