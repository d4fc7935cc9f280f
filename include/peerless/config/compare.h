// What differs between the config of a checkpoint and the one given at resume, and whether the run may go on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "peerless/config/type.h"

namespace peerless::config {

struct Difference {
  std::string path;  // a kind that differs is one difference, a list of another length too
  std::string before;
  std::string after;
  Resume resume;

  bool operator==(const Difference&) const = default;
};

// Whether `path` is the key or section, or lies in it: covers("data.train", "data.train.0.path").
bool covers(std::string_view section, std::string_view path);

// In the order of the declaration; texts are YAML on one line.
std::vector<Difference> compare(const Record& type, const void* before, const void* after);

// Refuses, with all differences that stand in the way, one line each: Error(config). `overridden` are the keys or
// sections (`schedule`) that the user allowed to change.
void check_resume(const std::vector<Difference>& differences, const std::vector<std::string>& overridden);

}  // namespace peerless::config
