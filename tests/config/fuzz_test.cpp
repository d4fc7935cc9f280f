// Random damage to a good config: whatever comes, the answer is a config that survives its dump, or a short printable
// config error.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "peerless/config/config.h"
#include "tests/config/example.h"

namespace peerless::config {
namespace {

using example::RunConfig;

constexpr std::string_view kPieces[] = {
    "[",    "]",   "{",    "}",   ":",    ": ",         "- ",    "\n",        "\n  ", " ",
    "#",    "\"",  "'",    "|\n", "&a ",  "*a",         "!",     "!!",        "<<: ", "%",
    "---",  "...", "null", "~",   "true", "1e400",      "-1",    ".nan",      "\t",   "\r\n",
    "\xff", "é",   "?",    ", ",  "\\0",  "kind: peer", "ffw: ", "at: [1-2]", "0",    "99999999999999999999"};

class Damage {
 public:
  explicit Damage(unsigned seed) : random_(seed) {}

  std::string apply(std::string text) {
    for (std::size_t n = below(6) + 1; n > 0; --n) {
      const std::size_t at = below(text.size() + 1);
      const std::size_t length = std::min(below(12), text.size() - at);
      switch (below(4)) {
        case 0:
          text.insert(at, kPieces[below(std::size(kPieces))]);
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(below(text.size() + 1), text.substr(at, length));
          break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(below(256));
      }
    }
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  std::mt19937 random_;
};

void expect_config_or_clean_error(const std::string& yaml) {
  try {
    const auto run = parse<RunConfig>(yaml, "run.yaml");
    EXPECT_EQ(parse<RunConfig>(dump(run), "dump"), run) << yaml;
  } catch (const Error& e) {
    const std::string_view what = e.what();
    EXPECT_EQ(e.code(), ExitCode::config) << yaml;
    EXPECT_LT(what.size(), 4096u) << yaml;
    EXPECT_TRUE(std::none_of(what.begin(), what.end(), [](unsigned char c) {
      return (c < 32 && c != '\n') || c == 127;
    })) << yaml;
  }
}

TEST(ConfigFuzz, DamagedFilesGiveAConfigOrACleanError) {
  const std::string good = dump(example::full());
  for (unsigned seed = 0; seed < 3000; ++seed) expect_config_or_clean_error(Damage(seed).apply(good));
}

TEST(ConfigFuzz, DamagedOverridesGiveAConfigOrACleanError) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const std::string text = Damage(seed).apply("model.layers.0.ffw={kind: peer, top_k: 2}");
    try {
      Tree tree = parse_yaml(dump(example::full()), "run.yaml");
      apply_overrides(tree, {text});
      read<RunConfig>(tree);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::config) << text;
      EXPECT_EQ(std::string_view(e.what()).substr(0, 1).find_first_of("cr"), 0u) << e.what();
    }
  }
}

}  // namespace
}  // namespace peerless::config
