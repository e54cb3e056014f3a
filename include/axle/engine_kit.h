// The C++ kit over engine_abi.h for plugin authors: header-only, C++20, nothing but the standard library. Start from
// engines/null and docs/guides/add-an-engine.md; the documents are specified in docs/formats/engine-answers.md.
#pragma once

#include "axle/engine_kit/answers.h"
#include "axle/engine_kit/base.h"
#include "axle/engine_kit/bound_tensors.h"
#include "axle/engine_kit/boundary.h"
#include "axle/engine_kit/broadcast.h"
#include "axle/engine_kit/graph.h"
#include "axle/engine_kit/json_writer.h"
#include "axle/engine_kit/plugin.h"
#include "axle/engine_kit/tensor.h"
#include "axle/engine_kit/vendor_handle.h"
#include "axle/engine_kit/vendor_search.h"
