// What happens after the other side died: it is started anew, and what a handle stands for is made again there.
#include <fmt/core.h>

#include <thread>

#include "base/file.h"
#include "base/logging.h"
#include "engine/flat_client_impl.h"

namespace axle {

namespace {

// Before the nth restart in a row: the first comes at once.
std::chrono::milliseconds pause_before(uint32_t restart) {
  return restart <= 1 ? std::chrono::milliseconds(0) : std::chrono::milliseconds(25 << std::min(restart, 6u));
}

}  // namespace

Result<std::shared_ptr<FlatClient>> FlatClient::asleep(std::shared_ptr<FlatChannel> channel) const {
  auto impl = std::make_unique<Impl>();
  impl->asleep = true;
  impl->slots = impl_->slots;  // of the same plugin
  AXLE_RETURN_IF_ERROR(impl->attach(std::move(channel)));
  return std::shared_ptr<FlatClient>(new FlatClient(std::move(impl)));
}

Status FlatClient::Impl::introduce() {
  FlatWriter request(FlatVerb::kDescribe);
  request.u64(0);
  const uint32_t now = channel->life();
  const FlatAttachment attachment = hand_over(control, now);
  AXLE_ASSIGN_OR_RETURN(auto reply, call(request, now, std::span(&attachment, 1)));
  if (reply.error.code != 0) return unavailable_error("the engine's process does not describe itself: " + reply.error.message);
  (void)reply.reader->text();
  slots = reply.reader->u32();
  if (!reply.reader->ok()) return internal_error("the engine's process sent a malformed reply");
  life = now;
  proven = false;
  return ok_status();
}

Status FlatClient::Impl::revive() {
  const uint32_t now = channel->life();
  if (now != 0 && now == life) return ok_status();
  if (now == 0) AXLE_RETURN_IF_ERROR(begin_or_restart());
  return introduce();
}

Status FlatClient::Impl::begin_or_restart() {
  if (asleep) {
    AXLE_RETURN_IF_ERROR(channel->restart());
    asleep = false;
    return ok_status();
  }
  if (restarts_in_a_row >= flat::kMostRestartsInARow) {
    return unavailable_error(fmt::format("the engine's process ended {} times in a row without a run that went well; it is not "
                                         "started again",
                                         restarts_in_a_row.load()))
        .with_hint("load the model again to try once more; the log has each end");
  }
  ++restarts_in_a_row;
  std::this_thread::sleep_for(pause_before(restarts_in_a_row));
  AXLE_RETURN_IF_ERROR(channel->restart());
  ++restarts;
  AXLE_LOG(kWarning, "engine", "the engine's process was started anew ({} so far)", restarts.load());
  return ok_status();
}

namespace flat {

Status revive_locked(ClientEngine& engine) {
  AXLE_RETURN_IF_ERROR(engine.impl->revive());
  return engine.life == engine.impl->life ? ok_status() : create_again(engine);
}

Status revive_locked(ClientExecutable& executable) {
  AXLE_RETURN_IF_ERROR(revive_locked(*executable.engine));
  if (executable.life == executable.impl->life) return ok_status();
  // The folder of the first load is gone.
  AXLE_ASSIGN_OR_RETURN(const ScratchDir scratch, ScratchDir::create(executable.engine->scratch_folder, "again"));
  const std::string& folder = scratch.path();
  AXLE_ASSIGN_OR_RETURN(const std::string answer,
                        load_as_recorded(executable, {folder.data(), folder.size()}, nullptr, nullptr));
  AXLE_ASSIGN_OR_RETURN(const EffectiveValues now, parse_effective(answer));
  const EffectiveValues& then = executable.effective;
  if (now.precision != then.precision || now.threads != then.threads || now.options != then.options) {
    executable.life = 0;
    return failed_precondition_error(
        fmt::format("the engine's process was started anew, but now computes in {} with {} threads instead of {} with {}, or "
                    "with other options",
                    now.precision, now.threads, then.precision, then.threads));
  }
  return ok_status();
}

Status revive(ClientEngine& engine) {
  if (engine.life != 0 && engine.life == engine.impl->channel->life()) return ok_status();
  const std::lock_guard lock(engine.impl->revive_mutex);
  return revive_locked(engine);
}

Status revive(ClientExecutable& executable) {
  if (executable.life != 0 && executable.life == executable.impl->channel->life()) return ok_status();
  const std::lock_guard lock(executable.impl->revive_mutex);
  return revive_locked(executable);
}

Status revive(ClientContext& context) {
  AXLE_RETURN_IF_ERROR(revive(*context.executable));
  if (context.life == context.executable->life) return ok_status();
  Impl& impl = *context.impl;
  FlatWriter request(FlatVerb::kContextCreate);
  uint32_t now = 0;
  {
    const std::lock_guard lock(impl.revive_mutex);  // both of the same life
    now = context.executable->life;
    request.u64(context.executable->id);
  }
  AXLE_ASSIGN_OR_RETURN(auto reply, impl.call(request, now));
  if (reply.error.code != 0) return to_status(std::move(reply.error));
  context.id = reply.reader->u64();
  AXLE_RETURN_IF_ERROR(bind_again(context, now));
  context.results.clear();
  context.result_errors.clear();
  context.life = now;
  return ok_status();
}

}  // namespace flat
}  // namespace axle
