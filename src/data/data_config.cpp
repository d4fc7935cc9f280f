#include "peerless/data/data_config.h"

#include <set>

#include "peerless/base/error.h"

namespace peerless {

void DataConfig::check() const {
  std::set<std::string> names;
  for (const auto& set : val) {
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (set.name.find_first_not_of(kAllowed) != std::string::npos) {
      throw Error(ExitCode::config, "val: name \"", excerpt(set.name),
                  "\" becomes part of metric names; only letters, digits and _ - . may be in it");
    }
    if (!names.insert(set.name).second)
      throw Error(ExitCode::config, "val: two sets are named \"", excerpt(set.name), '"');
  }
}

}  // namespace peerless
