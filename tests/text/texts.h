// Texts that the tests of tokenizers share.
#pragma once

#include <string>
#include <vector>

#include "peerless/base/random.h"

namespace peerless {

// A few thousand words of invented code and prose: enough to train a vocabulary of some hundred pieces.
inline std::vector<std::string> plain_documents(int count = 60) {
  const std::vector<std::string> words = {"river", "stone", "lantern", "return", "int",  "value", "carries", "under",
                                          "the",   "a",     "slowly",  "0x1f",   "1984", "(x)",   "näher",   "日本",
                                          "while", "ferry", "evening", "static", "size", "count", "orchard", "const"};
  const RandomStream random(7, 0);
  std::vector<std::string> documents;
  std::uint64_t at = 0;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int line = 0; line < 8; ++line) {
      text += std::string(2 * random.below(4, at++), ' ');
      for (int word = 0; word < 6; ++word) text += words[random.below(words.size(), at++)] + " ";
      text.back() = line % 3 == 0 ? '\t' : ';';
      text += '\n';
    }
    documents.push_back(text);
  }
  return documents;
}

// What has broken tokenizers before.
inline std::vector<std::string> nasty_texts() {
  return {
      "",
      " ",
      "   leading and trailing   ",
      "two  three   four    spaces",
      "\n",
      "\n\n\n",
      "\t",
      "\r\n windows \r\n\r\n lines\r",
      "a\tb\t\tc \t d",
      " \n \t \n",
      "▁",
      "▁ ▁▁ a▁b ▁c",
      "▅ ▅▅",
      "<s></s><unk><0x41><pad>",
      "\x01\x02\x1b[31m\x7f",
      std::string("NUL\0inside\0", 11),
      "e\u0301 vs \u00e9, a\u030a\u0323",
      "👩‍👩‍👧‍👦 🇺🇳 👍🏽",
      "\uE000\uF8FF private",
      "\uFEFF BOM \uFFFD \uFFFE \u00A0 \u2003 \u3000 \u200B",
      "\U0010FFFF\U0001F9FF",
      "日本語のテキスト、と한국어와العربية",
      std::string(5000, ' '),
      std::string(5000, 'x'),
      std::string(300000, 'y') + "é" + std::string(300000, ' ') + "z",
      "ﬁ ① Å ｆｕｌｌ",
      "\"\\\"\\\\\" % \\n \\t",
  };
}

inline std::vector<std::string> invalid_texts() {
  return {"\xff",
          "a\x80z",
          "\xc3",
          "\xe2\x96",
          "\xed\xa0\x80",
          "\xc0\xaf",
          "\xf4\x90\x80\x80",
          "ok\xf0\x9f\x98\xe2\x96\x81"};
}

// Random characters of all lengths, many of them troublesome.
inline std::string random_text(std::uint64_t seed) {
  const std::vector<std::string> parts = {" ",  "  ",   "\n",     "\t",     "\r\n", "▁", "▅",  "é",
                                          "日", "the",  "return", "x",      "0",    "<", "s>", "</s>",
                                          "👍",  "\x01", "\u0301", "\uE000", ";",    "_"};
  const RandomStream random(seed, 1);
  std::string text;
  const auto length = random.below(60, 0);
  for (std::uint64_t i = 1; i <= length; ++i) {
    const auto pick = random.below(parts.size() + 1, 2 * i);
    if (pick < parts.size()) {
      text += parts[pick];
    } else {
      text += static_cast<char>(1 + random.below(127, 2 * i + 1));
    }
  }
  return text;
}

}  // namespace peerless
