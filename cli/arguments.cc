#include "arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "console.h"
#include "help.h"

namespace axle::cli {
namespace {

std::function<void(const CommandDescription&)>& description_sink() {
  static std::function<void(const CommandDescription&)> sink;
  return sink;
}

bool is_option(const CommandDescription::Line& line, const std::string& word) {
  for (size_t at = 0; at < line.names.size();) {
    const size_t comma = std::min(line.names.find(',', at), line.names.size());
    if (line.names.compare(at, comma - at, word) == 0) return true;
    at = comma + 1;
  }
  return false;
}

// The option whose name is nearest, "" when none is near.
std::string nearest_option(const CommandDescription& command, const std::string& word) {
  std::string nearest;
  size_t best = std::min<size_t>(4, word.size() / 2);
  for (const CommandDescription::Line& line : command.lines) {
    const std::string name = line.names.substr(line.names.find(',') + 1);  // the long one
    const size_t distance = name.starts_with("-") ? edit_distance(word, name) : word.size();
    if (distance >= best) continue;
    best = distance;
    nearest = name;
  }
  return nearest;
}

// Of words that the command does not take: the first option among them, else the first word.
std::string unexpected(const CommandDescription& command, const std::vector<std::string>& words) {
  const auto option = std::ranges::find_if(words, [](const std::string& word) { return word.size() > 1 && word[0] == '-'; });
  if (option == words.end()) return "'" + words.front() + "' is one argument too many";
  const std::string name = option->substr(0, option->find('='));
  const std::string near = nearest_option(command, name);
  return "there is no option " + name + (near.empty() ? "" : ", did you mean " + near + "?");
}

// The parser's words, where ours say more.
std::string said_of(const CLI::ParseError& error, const CommandDescription& command,
                    const std::vector<std::string>& left_over) {
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !left_over.empty()) return unexpected(command, left_over);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    constexpr std::string_view kRequired = " is required";
    if (text.ends_with(kRequired)) return text.substr(0, text.size() - kRequired.size()) + " is missing";
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string name = text.substr(0, text.find(':'));
    const auto line = std::ranges::find_if(command.lines, [&](const auto& one) { return is_option(one, name); });
    if (line != command.lines.end() && !line->value.empty()) return name + " wants a value: " + name + " " + line->value;
  }
  constexpr std::string_view kNotConverted = "Could not convert: ";
  if (text.starts_with(kNotConverted)) return text.substr(kNotConverted.size()) + " is no whole number";
  return text;
}

}  // namespace

void set_description_sink(std::function<void(const CommandDescription&)> sink) { description_sink() = std::move(sink); }

struct Arguments::Impl {
  CLI::App app;
  std::string heading = "Options";
  CommandDescription description;
};

Arguments::Arguments(std::string command, std::string summary) : impl_(std::make_unique<Impl>()) {
  impl_->app.name("axle " + command);
  impl_->description.name = std::move(command);
  impl_->description.summary = std::move(summary);
}
Arguments::~Arguments() = default;

void Arguments::positional(std::string& target, const std::string& name, const std::string& help, bool required) {
  impl_->app.add_option(name, target, help)->required(required);
  impl_->description.lines.push_back({"", name, "", help, required, false});
}

void Arguments::positionals(std::vector<std::string>& target, const std::string& name, const std::string& help) {
  impl_->app.add_option(name, target, help);
  impl_->description.lines.push_back({"", name, "", help, false, true});
}

void Arguments::option(std::string& target, const std::string& flag, const std::string& value, const std::string& help) {
  impl_->app.add_option(flag, target, help);
  impl_->description.lines.push_back({impl_->heading, flag, value, help});
}

void Arguments::option(int64_t& target, const std::string& flag, const std::string& value, const std::string& help) {
  impl_->app.add_option(flag, target, help);
  impl_->description.lines.push_back({impl_->heading, flag, value, help});
}

void Arguments::option(std::vector<std::string>& target, const std::string& flag, const std::string& value,
                       const std::string& help) {
  impl_->app.add_option(flag, target, help)->expected(1, 1000)->take_all();
  impl_->description.lines.push_back({impl_->heading, flag, value, help, false, true});
}

void Arguments::flag(bool& target, const std::string& flag, const std::string& help) {
  impl_->app.add_flag(flag, target, help);
  impl_->description.lines.push_back({impl_->heading, flag, "", help});
}

void Arguments::group(std::string heading) { impl_->heading = std::move(heading); }

void Arguments::example(std::string command_line, std::string what) {
  impl_->description.examples.emplace_back(std::move(command_line), std::move(what));
}

bool Arguments::given(const std::string& flag) const { return impl_->app.get_option(flag)->count() > 0; }

int Arguments::parse(int argc, char** argv) {
  if (const auto& sink = description_sink()) {
    sink(impl_->description);
    return 0;
  }
  try {
    impl_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(help_text(impl_->description, help_width()).c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& error) {
    return report_usage(said_of(error, impl_->description, impl_->app.remaining()), impl_->app.get_name() + " --help",
                        wants_json(argc, argv));
  }
  // A script whose variable is not set must not run something else than it says.
  for (const CLI::Option* option : impl_->app.get_options()) {
    if (std::ranges::find(option->results(), "") == option->results().end()) continue;
    return report_usage(option->get_name() + " is given with an empty value", impl_->app.get_name() + " --help",
                        wants_json(argc, argv));
  }
  return -1;
}

}  // namespace axle::cli
