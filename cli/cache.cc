// axle cache: the artefact store (ls, stats, verify, gc, rm, pin, unpin, path).
#include "axle/cache.h"

#include <array>
#include <cstdio>

#include "axle/explain.h"
#include "choice.h"
#include "command.h"
#include "console.h"

namespace axle::cli {
namespace {

struct CacheArguments {
  std::string action;
  std::string what;
  std::string max_size;
  bool remove_bad = false;
  OutputFlags output;
};

void print(const CacheArguments& arguments, const std::string& text) {
  if (!arguments.output.quiet || arguments.output.json) std::fputs(text.c_str(), stdout);
}

TextStyle text_style(const CacheArguments& arguments) {
  TextStyle style;
  style.color = use_color();
  style.width = terminal_width();
  style.verbose = arguments.output.verbose;
  return style;
}

Status list(Cache& cache, const CacheArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<CacheEntry> entries, cache.ls());
  if (!arguments.output.json) {
    print(arguments, render_cache_text(entries, text_style(arguments)));
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_json(entries));
  print(arguments, json + "\n");
  return ok_status();
}

Status stats(Cache& cache, const CacheArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const CacheStats figures, cache.stats());
  if (!arguments.output.json) {
    print(arguments, render_cache_stats_text(cache.path(), figures));
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_stats_json(cache.path(), figures));
  print(arguments, json + "\n");
  return ok_status();
}

Status verify(Cache& cache, const CacheArguments& arguments) {
  AXLE_ASSIGN_OR_RETURN(const CacheVerifyReport report, cache.verify(arguments.remove_bad, interrupt_token()));
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_verify_json(report));
    print(arguments, json + "\n");
  } else {
    print(arguments, render_cache_verify_text(report));
  }
  if (report.problems.empty()) return ok_status();
  return data_loss_error(std::to_string(report.problems.size()) + " damaged entries in the cache '" + cache.path() + "'")
      .with_hint(arguments.remove_bad ? "they were removed and will be made anew when needed" : "axle cache verify --remove");
}

Status collect(Cache& cache, const CacheArguments& arguments, bool remove) {
  Result<CacheGcReport> report = ok_status();
  if (remove) {
    if (arguments.what.empty()) return invalid_argument_error("axle cache rm needs a key: its digest, the start of it, or '*'");
    report = cache.rm(arguments.what);
  } else {
    std::optional<uint64_t> limit;
    if (!arguments.max_size.empty()) {
      AXLE_ASSIGN_OR_RETURN(limit, parse_size(arguments.max_size));
    }
    report = cache.gc(limit);
  }
  if (!report) return std::move(report).error();
  if (arguments.output.json) {
    AXLE_ASSIGN_OR_RETURN(const std::string json, render_cache_gc_json(*report));
    print(arguments, json + "\n");
  } else {
    print(arguments, render_cache_gc_text(*report));
  }
  return ok_status();
}

Status run(const CacheArguments& arguments) {
  if (arguments.action == "path") {
    AXLE_ASSIGN_OR_RETURN(const std::string folder, Cache::default_folder());
    print(arguments, arguments.output.json ? "{\"path\":" + quoted_json(folder) + "}\n" : folder + "\n");
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(Cache cache, Cache::open());
  if (arguments.action == "ls") return list(cache, arguments);
  if (arguments.action == "stats") return stats(cache, arguments);
  if (arguments.action == "verify") return verify(cache, arguments);
  if (arguments.action == "gc") return collect(cache, arguments, false);
  if (arguments.action == "rm") return collect(cache, arguments, true);
  return cache.set_pinned(arguments.what, arguments.action == "pin");
}

}  // namespace

int run_cache(int argc, char** argv) {
  constexpr std::array kActions = {"ls", "stats", "verify", "gc", "rm", "pin", "unpin", "path"};
  CacheArguments arguments;
  Arguments spec("cache", "The artefact store: ls, stats, verify, gc, rm KEY, pin KEY, unpin KEY, path.");
  spec.positional(arguments.action, "ACTION", "ls, stats, verify, gc, rm, pin, unpin or path");
  spec.positional(arguments.what, "KEY", "digest of an entry or the start of it; '*' = all", false);
  spec.option(arguments.max_size, "--max-size", "SIZE", "gc: keep at most this much (2GiB)");
  spec.flag(arguments.remove_bad, "--remove", "verify: remove what is damaged");
  arguments.output.declare(spec);
  spec.example("axle cache stats", "entries, bytes, hit rate");
  spec.example("axle cache gc --max-size 2GiB", "remove what was not used for longest");
  if (const int code = spec.parse(argc, argv); code >= 0) return code;
  bool known = false;
  for (const char* action : kActions) known = known || arguments.action == action;
  if (!known) {
    std::fprintf(stderr, "axle: there is no 'axle cache %s'\n  see: axle cache --help\n", arguments.action.c_str());
    return 2;
  }
  const Status status = run(arguments);
  return status.ok() ? 0 : report_failure(status, arguments.output.json);
}

}  // namespace axle::cli
