#include "axle/explain.h"
#include "explain/perfetto.h"
#include "runtime/session_impl.h"

namespace axle {

Result<std::string> render_profile_json(const Session& session) {
  const Session::Impl& impl = session.impl();
  if (!impl.recorder) {
    return failed_precondition_error("this session records nothing").with_hint("create it with profile = true");
  }
  return write_perfetto(impl.recorder->log(), impl.plan);
}

}  // namespace axle
