#include "src/config/suggest.h"

#include <algorithm>

namespace peerless::config {
namespace {

constexpr std::size_t kMostPlaces = 3;  // a name that is used in more places was hardly meant for one of them

// Where keys of this name are; "": nowhere, or in too many places.
std::string places_of(std::string_view name, const std::vector<Key>& all) {
  std::vector<std::string> places;
  for (const Key& key : all) {
    if (key.name != name) continue;
    const auto place = concat("'", without_kinds(key.path), key.section.empty() ? "' at the top" : "'");
    if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
  }
  return places.size() > kMostPlaces ? "" : one_of(places);
}

std::string meant(std::string_view name, const std::vector<std::string>& here, const std::vector<Key>& all) {
  if (const auto places = places_of(name, all); !places.empty()) return places;
  if (const auto near = nearest(name, here); !near.empty()) return concat("'", near, "'");
  std::vector<std::string> names;
  for (const Key& key : all) names.push_back(key.name);
  return places_of(nearest(name, names), all);
}

}  // namespace

std::string without_kinds(std::string_view path) {
  std::string plain;
  bool kind = false;
  for (const char c : path) {
    kind = kind || c == '[';
    if (!kind) plain += c;
    kind = kind && c != ']';
  }
  return plain;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& here, const std::vector<Key>& all) {
  for (const Key& key : all) {
    const bool dotted = !key.section.empty() && without_kinds(key.path) == name;
    if (dotted)
      return concat("; in a file '", key.name, "' stands inside '", without_kinds(key.section), "', not behind a dot");
  }
  if (const auto meaning = meant(name, here, all); !meaning.empty()) return concat("; did you mean ", meaning, "?");
  if (here.empty()) return "; there is none here";
  return concat("; here are ", one_of(here, "and"));
}

}  // namespace peerless::config
