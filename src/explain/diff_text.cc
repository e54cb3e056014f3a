// `axle plan --diff A B` for people: a sentence for each difference, what runs first. The document is in lock_text.cc.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "axle/explain.h"
#include "base/text.h"
#include "explain/short_text.h"
#include "explain/text_table.h"

namespace axle {
namespace {

constexpr std::string_view kPart = "partition ";

// What changed of one part: its number, and changes by the word behind it ("engine", "threads", "option X", "" for all of it).
struct PartChanges {
  std::string number;
  std::vector<std::pair<std::string, const PlanChange*>> fields;

  const PlanChange* find(std::string_view field) const {
    const auto found = std::ranges::find_if(fields, [&](const auto& one) { return one.first == field; });
    return found == fields.end() ? nullptr : found->second;
  }
};

std::string spaced(std::string text) {
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text.ends_with('.') ? text : text + ".";
}

// "1.176x the time of the chosen one [...]" as "measured 18 % slower [...]"; other reasons as they are.
std::string said_reason(const std::string& reason) {
  constexpr std::string_view kRatio = "x the time of the chosen one";
  double ratio = 0;
  const bool estimated = reason.starts_with("estimated ");
  const char* from = reason.data() + (estimated ? std::string_view("estimated ").size() : 0);
  const auto parsed = std::from_chars(from, reason.data() + reason.size(), ratio);
  const std::string_view rest(parsed.ptr, static_cast<size_t>(reason.data() + reason.size() - parsed.ptr));
  if (parsed.ec != std::errc() || parsed.ptr == from || !rest.starts_with(kRatio) || ratio <= 0) return reason;
  const double percent = (ratio - 1) * 100;
  const std::string much = ratio >= 2     ? fmt::format("{:.1f} times as slow", ratio)
                           : percent >= 0 ? fmt::format("{:.0f} % slower", percent)
                                          : fmt::format("{:.0f} % faster", -percent);
  return fmt::format("{} {}{}", estimated ? "estimated" : "measured", much, rest.substr(kRatio.size()));
}

// "CODE: reason" without the code.
std::string without_code(const std::string& text) {
  const size_t end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
  const bool has_code = end != 0 && end != std::string::npos && text.compare(end, 2, ": ") == 0;
  return said_reason(has_code ? text.substr(end + 2) : text);
}

struct Clause {
  std::string candidate;  // "" = not said
  std::string reason;
};

// The parts of "A is CODE: reason; B is CODE: reason", where a reason may hold "; " itself.
std::vector<Clause> clauses_of(const std::string& why) {
  std::vector<Clause> clauses;
  for (size_t at = 0; at <= why.size() && !why.empty();) {
    const size_t end = std::min(why.find("; ", at), why.size());
    const std::string piece = why.substr(at, end - at);
    const size_t is = piece.find(" is ");
    const bool names =
        is != std::string::npos && piece.find(' ') == is && without_code(piece.substr(is + 4)) != piece.substr(is + 4);
    if (names)
      clauses.push_back({piece.substr(0, is), without_code(piece.substr(is + 4))});
    else if (clauses.empty())
      clauses.push_back({"", without_code(piece)});
    else
      clauses.back().reason += "; " + piece;
    at = end + 2;
  }
  return clauses;
}

std::string because(const std::string& why) {
  std::string text;
  for (const Clause& clause : clauses_of(why))
    text += (text.empty() ? ", because " : "; ") + (clause.candidate.empty() ? "" : clause.candidate + ": ") + clause.reason;
  return text;
}

// "is A now; before it was B", or what there is of it.
std::string now_and_before(const PlanChange& change, bool verbose) {
  const std::string before = short_text(change.before, verbose), after = short_text(change.after, verbose);
  if (after.empty()) return "is gone; it was " + before;
  return before.empty() ? "is new: " + after : fmt::format("is {} now; before it was {}", after, before);
}

// "onnxruntime on cpu:0": the engine or the resource alone where the other did not change and no reason names it.
std::string place(const PlanChange* engine, const PlanChange* resource, bool after, const std::string& why) {
  const auto value = [&](const PlanChange* change) { return change == nullptr ? "" : after ? change->after : change->before; };
  std::string on_engine = value(engine), on_resource = value(resource);
  for (const Clause& clause : clauses_of(why)) {
    const auto candidate = parse_candidate(clause.candidate);
    if (!candidate || (!on_engine.empty() && candidate->engine != on_engine)) continue;
    if (!on_resource.empty() && candidate->resource != on_resource) continue;
    if (on_engine.empty()) on_engine = candidate->engine;
    if (on_resource.empty()) on_resource = candidate->resource;
  }
  if (on_engine.empty() || on_resource.empty()) return on_engine + on_resource;
  return on_engine + " on " + on_resource;
}

// Engine, resource, precision, threads and preset change together, for one reason.
std::string moved(const PartChanges& part) {
  const PlanChange* const engine = part.find("engine");
  const PlanChange* const resource = part.find("resource");
  std::vector<std::string> ways;
  std::string why;
  const auto add = [&](std::string_view field, const char* in) {
    const PlanChange* const change = part.find(field);
    const char* const unit = field != "threads" ? "" : change != nullptr && change->after == "1" ? " thread" : " threads";
    if (change != nullptr) ways.push_back(fmt::format("{}{}{} instead of {}", in, change->after, unit, change->before));
  };
  add("precision", "in ");
  add("threads", "with ");
  add("preset", "with the preset ");
  for (const char* field : {"engine", "resource", "precision", "threads", "preset"}) {
    if (const PlanChange* const change = part.find(field); change != nullptr) why = change->why;
  }
  if (engine == nullptr && resource == nullptr)
    return ways.empty() ? "" : fmt::format("Part {} runs {}{}.", part.number, join(ways, ", "), because(why));
  return fmt::format("Part {} moved from {} to {}{}{}{}.", part.number, place(engine, resource, false, why),
                     place(engine, resource, true, why), ways.empty() ? "" : ", ", join(ways, ", "), because(why));
}

// Of what is either so or not.
const char* yes_or_no(std::string_view field, bool yes) {
  if (field == "isolated") return yes ? "runs in a process of its own now" : "runs in the caller's process now";
  if (field == "simulated") return yes ? "runs on a simulated device now" : "runs on a real device now";
  return yes ? "keeps its threads spinning between calls now" : "lets its threads sleep between calls now";
}

// "0,1".
std::string cpus(const std::string& list) {
  if (list.empty()) return "all CPUs";
  return (list.find(',') == std::string::npos ? "CPU " : "CPUs ") + list;
}

std::string part_field(const std::string& number, const std::string& field, const PlanChange& change, bool verbose) {
  if (field.empty()) {
    if (change.after.empty()) return fmt::format("Part {} is gone; it was {}.", number, change.before);
    return fmt::format("Part {} is new: {}{}.", number, change.after, because(change.why));
  }
  if (field == "isolated" || field == "simulated" || field == "spin")
    return fmt::format("Part {} {}.", number, yes_or_no(field, change.after == "true"));
  if (field == "nodes") return fmt::format("Part {} runs {} now; before {}.", number, change.after, change.before);
  if (field == "CPUs")
    return fmt::format("Part {} runs on {} now; before on {}.", number, cpus(change.after), cpus(change.before));
  return sentence(fmt::format("the {} of part {} {}", field, number, now_and_before(change, verbose)));
}

std::vector<PartChanges> parts_of(const PlanDiff& diff) {
  std::vector<PartChanges> parts;
  for (const PlanChange& change : diff.changes) {
    if (change.area != "partition" || !change.where.starts_with(kPart)) continue;
    const size_t end = std::min(change.where.find(' ', kPart.size()), change.where.size());
    const std::string number = change.where.substr(kPart.size(), end - kPart.size());
    if (parts.empty() || parts.back().number != number) parts.push_back({number, {}});
    parts.back().fields.emplace_back(end < change.where.size() ? change.where.substr(end + 1) : "", &change);
  }
  return parts;
}

// "up to 4 rows of axis batch, 2 runs at a time" before and after; "" = each request alone.
std::string batching_sentence(const PlanChange& change) {
  if (change.after.empty()) return fmt::format("Each request is computed alone now; before, together: {}.", change.before);
  const std::string now = "Requests that wait are computed together now: " + change.after;
  return change.before.empty() ? now + "." : fmt::format("{}; before: {}.", now, change.before);
}

std::string work_sentence(const PlanChange& change, bool verbose) {
  if (change.area == "schedule" && change.where == "batching") return batching_sentence(change);
  if (change.area == "schedule") {
    const std::string what = change.where.empty()     ? "schedule"
                             : change.where == "each" ? "cut of each replica"
                                                      : "load that counts as high, in requests in flight,";
    return sentence("the " + what + " " + now_and_before(change, verbose));
  }
  if (change.area == "transfer") {
    if (change.after.empty()) return sentence("no longer handed over: " + change.where);
    return change.before.empty() ? fmt::format("Handed over now: {} ({}).", change.where, change.after)
                                 : sentence(change.where + " " + now_and_before(change, verbose));
  }
  if (change.after.empty())
    return fmt::format("Nothing stands in for {} any more; before it was {}.", change.where, change.before);
  return fmt::format("{} is replaced now by {}{}.", change.where, change.after,
                     change.before.empty() ? "" : "; before by " + change.before);
}

std::string purpose_sentence(const PlanChange& change, bool verbose) {
  if (change.where == "digest" || change.where == "fingerprint" || change.where.empty())
    return fmt::format("The {} is another one: {} now, {} before.", change.area, short_text(change.after, verbose),
                       short_text(change.before, verbose));
  if (change.area == "model" && change.where == "shapes")
    return fmt::format("The plan is judged on {} now; before on {}.", change.after, change.before);
  if (change.area == "policy") {
    if (change.after.empty()) return fmt::format("The policy no longer sets {}; it was {}.", change.where, change.before);
    return fmt::format("The policy sets {} to {}{}.", change.where, short_text(change.after, verbose),
                       change.before.empty() ? "" : "; before it was " + short_text(change.before, verbose));
  }
  const std::string of = change.where.find(" of ") == std::string::npos ? " of the " + change.area : "";
  return sentence(fmt::format("the {}{} {}", spaced(change.where), of, now_and_before(change, verbose)));
}

// "rejected (SLOWER)" as "rejected"; the reason says the rest.
std::string verdict_word(const std::string& verdict) { return spaced(verdict.substr(0, verdict.find(" ("))); }

std::string decision_sentence(const PlanChange& change) {
  constexpr std::string_view kNodes = " nodes";
  if (change.where.ends_with(kNodes) && change.before.ends_with("refused")) {
    return fmt::format("Of {} other nodes are refused: {} now, before {}.",
                       change.where.substr(0, change.where.size() - kNodes.size()), change.after, change.before);
  }
  if (change.after.empty())
    return fmt::format("{} is not looked at any more; before it was {}.", change.where, verdict_word(change.before));
  const std::string reason = without_code(change.why);
  const std::string now = verdict_word(change.after), before = verdict_word(change.before);
  if (before.empty()) return fmt::format("{} is looked at for the first time and is {}: {}.", change.where, now, reason);
  if (before == now) return fmt::format("{} is still {}, for another reason: {}.", change.where, now, reason);
  return fmt::format("{} is {} now and was {} before: {}.", change.where, now, before, reason);
}

// Candidates that say little: gone, or new and passed over. Told one by one where verbose, else counted behind the first ones.
class Folded {
 public:
  explicit Folded(const char* rest) : rest_(rest) {}

  void add(const PlanChange& change, bool verbose, std::vector<std::string>& sentences) {
    constexpr size_t kShown = 3;
    if (verbose || shown_ < kShown) {
      ++shown_;
      sentences.push_back(decision_sentence(change));
    } else {
      ++hidden_;
    }
  }
  void finish(std::vector<std::string>& sentences) const {
    if (hidden_ == 1) sentences.push_back(fmt::format("One more {} (-v names it).", singular()));
    if (hidden_ > 1) sentences.push_back(fmt::format("{} more {} (-v names them).", hidden_, rest_));
  }

 private:
  std::string singular() const { return std::string("is") + std::string(rest_).substr(std::string_view("are").size()); }

  const char* rest_;  // "are not looked at any more"
  size_t shown_ = 0, hidden_ = 0;
};

void add_decisions(const PlanDiff& diff, bool verbose, std::vector<std::string>& sentences) {
  Folded fresh("are looked at for the first time and are not chosen"), gone("are not looked at any more");
  std::vector<std::string> passed_over, left;
  for (const PlanChange& change : diff.changes) {
    if (change.area != "decision") continue;
    if (change.after.empty() && !change.before.starts_with("chosen"))
      gone.add(change, verbose, left);
    else if (change.before.empty() && !change.after.starts_with("chosen") && !change.after.starts_with("tie"))
      fresh.add(change, verbose, passed_over);
    else
      sentences.push_back(decision_sentence(change));
  }
  fresh.finish(passed_over);
  gone.finish(left);
  sentences.insert(sentences.end(), passed_over.begin(), passed_over.end());
  sentences.insert(sentences.end(), left.begin(), left.end());
}

std::string evidence_sentence(const PlanChange& change, bool verbose) {
  if (change.area == "note") {
    const bool gone = change.after.empty();
    return fmt::format("{}: {}", gone ? "No longer noted" : "Noted now", gone ? change.before : change.after);
  }
  if (change.where == "rows") return fmt::format("There are {} measurements now; before {}.", change.after, change.before);
  if (change.where == "samples") return sentence("the digest of the samples " + now_and_before(change, verbose));
  if (change.before.empty()) return fmt::format("{} is measured now: {}.", change.where, change.after);
  if (change.after.empty()) return fmt::format("{} counts as measured no more; before {}.", change.where, change.before);
  return fmt::format("{} was measured anew: {}; before {}.", change.where, change.after, change.before);
}

// Sentences under one heading.
struct Section {
  const char* heading;
  Tone tone;
  std::vector<std::string> sentences;
};

void add_work(const PlanDiff& diff, bool verbose, Section& section) {
  for (const PartChanges& part : parts_of(diff)) {
    if (std::string text = moved(part); !text.empty()) section.sentences.push_back(std::move(text));
    for (const auto& [field, change] : part.fields) {
      const bool told =
          field == "engine" || field == "resource" || field == "precision" || field == "threads" || field == "preset";
      if (!told) section.sentences.push_back(part_field(part.number, field, *change, verbose));
    }
  }
  for (const PlanChange& change : diff.changes) {
    if (change.area == "schedule" || change.area == "transfer" || change.area == "substitution")
      section.sentences.push_back(work_sentence(change, verbose));
  }
}

}  // namespace

std::string render_plan_diff_text(const PlanDiff& diff, const TextStyle& style) {
  if (diff.changes.empty()) return "no difference\n";
  Section work{"what runs", Tone::kStrong, {}}, purpose{"what it was made for", Tone::kPlain, {}},
      decisions{"what was decided", Tone::kPlain, {}}, evidence{"what that stands on", Tone::kDim, {}};
  add_work(diff, style.verbose, work);
  add_decisions(diff, style.verbose, decisions.sentences);
  size_t left_out = 0;
  for (const PlanChange& change : diff.changes) {
    const std::string& area = change.area;
    if (area == "model" || area == "policy" || area == "machine" || area == "engine")
      purpose.sentences.push_back(purpose_sentence(change, style.verbose));
    else if ((area == "evidence" || area == "note") && style.verbose)
      evidence.sentences.push_back(evidence_sentence(change, style.verbose));
    else if (area == "evidence" || area == "note")
      ++left_out;  // every candidate's figures are many lines; what runs and what decided it come first
  }
  std::string out = diff.same_work ? "the same work; what it was decided on differs\n" : "different work\n";
  for (const Section& section : {work, purpose, decisions, evidence}) {
    if (section.sentences.empty()) continue;
    out += fmt::format("\n{}\n", section.heading);
    for (const std::string& text : section.sentences) {
      for (const std::string& line : hanging_lines("  ", printable(text, 4000), "    ", style.width))
        out += toned(line, section.tone, style.color) + "\n";
    }
  }
  if (left_out > 0)
    out += fmt::format("\n  and {} {} in evidence and notes (-v)\n", left_out, left_out == 1 ? "difference" : "differences");
  return out;
}

}  // namespace axle
