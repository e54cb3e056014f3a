// What a call throws.
#pragma once

#include <gtest/gtest.h>

#include "axle/engine_kit.h"

namespace axle::ort::testing {

template <typename Call>
kit::Error error_of(Call&& call) {
  try {
    call();
  } catch (const kit::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return kit::Error(AXLE_OK, "");
}

}  // namespace axle::ort::testing
