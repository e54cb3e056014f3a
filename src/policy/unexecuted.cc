#include "policy/unexecuted.h"

#include "policy/variant_precisions.h"

namespace axle {
namespace {

Status refuse_goals(const Policy& p) {
  // Data for something that will not happen: most likely the precision was forgotten.
  if (!p.accuracy.calibration.empty() && !asks_for_variant(p, "int8"))
    return invalid_argument_error("accuracy.calibration is for int8, which this policy does not admit")
        .with_hint("list int8 in execution.precision, or set a bound in [accuracy]");
  return ok_status();
}

}  // namespace

Status refuse_unexecuted(const Policy& policy) { return refuse_goals(policy); }

}  // namespace axle
