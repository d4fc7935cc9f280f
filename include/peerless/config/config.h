// The whole of the config room for a config struct C (field.h tells how to write one), each verb in one call:
//
//   auto [run, origins] = config::load<RunConfig>(disk(), "run.yaml", {"optim.lr=3e-4"});
//   config::show(run, origins);              the resolved YAML, each value with its origin
//   config::parse<RunConfig>(config::dump(run), "MANIFEST.json") == run
//   config::explain<RunConfig>("optim.lr");  config::markdown<RunConfig>();  config::schema<RunConfig>("...");
//
// Errors   Error(config), exit code 78; messages are listed in yaml.h, overrides.h and read.h. A file that cannot be
//          opened is the IoError of `Files`.
// Threads  all functions may be called at the same time.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/config/compare.h"
#include "peerless/config/describe.h"
#include "peerless/config/json_schema.h"
#include "peerless/config/overrides.h"
#include "peerless/config/read.h"
#include "peerless/config/type_of.h"
#include "peerless/config/write.h"

namespace peerless::config {

template <class C>
struct Loaded {
  C config;
  Origins origins;
};

Tree read_tree(const Files& files, const std::filesystem::path& file);

template <class C>
C read(const Tree& tree) {
  C value;
  read(tree, record_of<C>(), &value);
  return value;
}

template <class C>
C parse(std::string_view yaml, std::string_view source) {
  return read<C>(parse_yaml(yaml, source));
}

template <class C>
Loaded<C> load(const Files& files, const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  Tree tree = read_tree(files, file);
  apply_overrides(tree, overrides);
  return {read<C>(tree), Origins(tree)};
}

template <class C>
std::string dump(const C& value) {
  return dump(record_of<C>(), &value);
}

template <class C>
std::string show(const C& value, const Origins& origins) {
  return show(record_of<C>(), &value, origins);
}

template <class C>
std::vector<Difference> compare(const C& before, const C& after) {
  return compare(record_of<C>(), &before, &after);
}

template <class C>
std::string explain(std::string_view path) {
  return explain(record_of<C>(), path);
}

template <class C>
std::string plain_key(std::string_view path) {
  return plain_key(record_of<C>(), path);
}

template <class C>
std::string markdown() {
  return markdown(record_of<C>());
}

template <class C>
std::string schema(std::string_view title) {
  return schema(record_of<C>(), title);
}

template <class C>
std::vector<HelpRow> help_rows() {
  return help_rows(record_of<C>());
}

template <class C>
std::vector<std::string> leaf_paths() {
  return leaf_paths(record_of<C>());
}

}  // namespace peerless::config
