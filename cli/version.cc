// axle version: what this build is.
#include "axle/version.h"

#include <cstdio>

#include "arguments.h"
#include "command.h"

namespace axle::cli {

int run_version(int argc, char** argv) {
  bool json = false;
  Arguments spec("version", "Version, git revision, engine ABI and build options.");
  spec.flag(json, "--json", "one JSON document on stdout");
  spec.example("axle version", "for people");
  spec.example("axle version --json", "for scripts");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  const BuildInfo info = build_info();
  if (json) {
    // Every value is ours and plain ASCII.
    std::printf(
        "{\"build_type\":\"%s\",\"compiler\":\"%s\",\"engine_abi\":%u,\"git_revision\":\"%s\",\"sanitizers\":\"%s\","
        "\"version\":\"%s\"}\n",
        info.build_type.c_str(), info.compiler.c_str(), info.engine_abi, info.git_revision.c_str(), info.sanitizers.c_str(),
        info.version.c_str());
    return 0;
  }
  std::printf("axle %s%s%s, engine ABI %u, %s, %s%s%s\n", info.version.c_str(), info.git_revision.empty() ? "" : " ",
              info.git_revision.c_str(), info.engine_abi, info.compiler.c_str(), info.build_type.c_str(),
              info.sanitizers.empty() ? "" : ", ", info.sanitizers.c_str());
  return 0;
}

}  // namespace axle::cli
