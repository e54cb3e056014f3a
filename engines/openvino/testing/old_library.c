/* Stands in for an OpenVINO that is too old: it has every function, reports 2023.3.0 and does nothing. */
#include "../vendor_functions.h"

#include <string.h>

typedef struct {
  const char* build_number;
  const char* description;
} version_t;

static int answer(const char* name, version_t* version) {
  if (strcmp(name, "ov_get_openvino_version") == 0) {
    version->build_number = "2023.3.0-13775-ceeafaf64f3-releases/2023/3";
    version->description = "";
  }
  return 0;
}

#define ANSWER(name)                                                   \
  __attribute__((visibility("default"))) int name(version_t* version); \
  int name(version_t* version) { return answer(#name, version); }
AXLE_OPENVINO_FUNCTIONS(ANSWER)
