#include "peerless/config/yaml.h"
#include "tests/support/complaint.h"

#include <gtest/gtest.h>

namespace peerless::config {
namespace {

using test::complaint;

std::string refusal(std::string_view yaml) {
  return complaint(ExitCode::config, [&] { parse_yaml(yaml, "run.yaml"); });
}

TEST(Yaml, BecomesATreeThatKnowsItsPlaces) {
  const Tree tree = parse_yaml("# a run\nseed: 1\nmodel:\n  at: [2, \"5\"]\n", "run.yaml");
  ASSERT_EQ(tree.root.children.size(), 2u);
  const Node& seed = *tree.root.find("seed");
  EXPECT_EQ(seed.text, "1");
  EXPECT_FALSE(seed.quoted);
  EXPECT_EQ(seed.key_place, (Place{2, 1}));
  EXPECT_EQ(seed.place, (Place{2, 7}));

  const Node& at = *tree.root.find("model")->find("at");
  EXPECT_EQ(at.form, Node::Form::list);
  EXPECT_EQ(at.place, (Place{4, 7}));
  EXPECT_FALSE(at.children[0].quoted);
  EXPECT_TRUE(at.children[1].quoted);
  EXPECT_EQ(at.children[1].place, (Place{4, 11}));
  EXPECT_EQ(tree.root.find("sede"), nullptr);
}

TEST(Yaml, AnEmptyDocumentIsAnEmptyMapping) {
  for (const char* empty : {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "{}", "null", "~"}) {
    const Tree tree = parse_yaml(empty, "run.yaml");
    EXPECT_EQ(tree.root.form, Node::Form::mapping) << empty;
    EXPECT_TRUE(tree.root.children.empty()) << empty;
  }
}

TEST(Yaml, TakesWindowsLineEnds) {
  const Tree tree = parse_yaml("a: 1\r\nb: x\r\n", "run.yaml");
  EXPECT_EQ(tree.root.find("b")->text, "x");
  EXPECT_EQ(tree.root.find("b")->place, (Place{2, 4}));
}

TEST(Yaml, TellsNullFromTheWord) {
  const Tree tree = parse_yaml("a: null\nb: ~\nc:\nd: \"null\"\ne: 'x'\nf: |\n  text\n", "run.yaml");
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(tree.root.find(key)->form, Node::Form::null) << key;
  for (const char* key : {"d", "e", "f"}) EXPECT_TRUE(tree.root.find(key)->quoted) << key;
  EXPECT_EQ(tree.root.find("f")->text, "text\n");
}

struct BadYaml {
  const char* fault;
  std::string_view yaml;
  const char* message;
};
void PrintTo(const BadYaml& bad, std::ostream* out) { *out << bad.fault; }

class RefusedYaml : public testing::TestWithParam<BadYaml> {};

TEST_P(RefusedYaml, NamesThePlaceAndTheFault) { EXPECT_EQ(refusal(GetParam().yaml), GetParam().message); }

using namespace std::string_view_literals;

const BadYaml kBadYaml[] = {
    {"Anchor", "a: &x 1", "run.yaml:1:4: a: anchors are refused; write the value out"},
    {"AnchorOfNull", "a: &x\nb: 1", "run.yaml:1:4: a: anchors are refused; write the value out"},
    {"AnchorOfAMapping", "a: &x {b: 1}", "run.yaml:1:4: a: anchors are refused; write the value out"},
    {"AnchorOfAList", "a:\n  b: &x\n    - 1", "run.yaml:2:6: a.b: anchors are refused; write the value out"},
    {"AnchorOfAKey", "&x a: 1", "run.yaml:1:1: anchors are refused; write the value out"},
    {"Alias", "a: {b: *x}", "run.yaml:1:8: a.b: aliases are refused; a text that begins with '*' needs quotes"},
    {"Tag", "a:\n  - !!int 1", "run.yaml:2:5: a.0: tags are refused"},
    {"OwnTag", "a: !path x", "run.yaml:1:4: a: tags are refused"},
    {"EmptyTag", "a: ! x", "run.yaml:1:4: a: tags are refused"},
    {"TagOfAQuotedText", "a: !!str \"x\"", "run.yaml:1:4: a: tags are refused"},
    {"TagOfAMapping", "a: !!map {b: 1}", "run.yaml:1:4: a: tags are refused"},
    {"MergeKey", "a: {b: 1}\nc: {<<: {d: 1}}", "run.yaml:2:5: c.<<: merge keys are refused; write the keys out"},
    {"SecondDocument", "a: 1\n---\nb: 1", "run.yaml:2:1: a second document begins here; a config is one document"},
    {"DuplicateKey", "a:\n  b: 1\n  c: 2\n  b: 3", "run.yaml:4:3: a.b: duplicate key, first at line 2"},
    {"DuplicateKeyInQuotes", "{a: 1, \"a\": 2}", "run.yaml:1:8: a: duplicate key, first at line 1"},
    {"ListAsKey", "[1]: 2", "run.yaml:1:1: a key must be a single word; or is this bracket never closed?"},
    {"MappingAsKey", "? {a: 1}\n: 2", "run.yaml:1:3: a key must be a single word; or is this bracket never closed?"},
    {"NullAsKey", "a:\n  ~: 1", "run.yaml:2:3: a: expected a key, got null"},
    {"Tab", "a:\n\tb: 1", "run.yaml:2:1: a tab; indent with spaces"},
    {"ByteOrderMark",
     "\xEF\xBB\xBF"
     "a: 1",
     "run.yaml:1:1: a byte order mark; save the file as UTF-8 without one"},
    {"Utf16",
     "\xFF\xFE"
     "a\0:\0 \0001\0"sv,
     "run.yaml:1:1: not valid UTF-8"},
    {"Nul", "a: 1\nb: x\0y"sv, "run.yaml:2:5: a control character: \\x00"},
    {"EscapedNul", "a: \"x\\0\"", "run.yaml:1:4: a: a NUL character is refused"},
    {"Escape", "a: \x1b[31m", "run.yaml:1:4: a control character: \\x1b"},
    {"CarriageReturnAlone", "a: 1\rb: 2", "run.yaml:1:5: a control character: \\x0d"},
    {"InvalidUtf8", "a: \xC3(", "run.yaml:1:4: not valid UTF-8"},
    {"OverlongUtf8", "a: \xC0\xAF", "run.yaml:1:4: not valid UTF-8"},
    {"SurrogateInUtf8", "a: \xED\xA0\x80", "run.yaml:1:4: not valid UTF-8"},
    {"BeyondUnicode", "a: \xF4\x90\x80\x80", "run.yaml:1:4: not valid UTF-8"},
    {"CutUtf8", "a: \xE2\x82", "run.yaml:1:4: not valid UTF-8"},
    {"RootIsAList", "- 1", "run.yaml:1:1: expected a mapping of keys to values, got a list"},
    {"RootIsAWord", "seed", "run.yaml:1:1: expected a mapping of keys to values, got a single word"},
    {"OpenList", "a: [1, 2", "run.yaml:1:4: '[' without its ']'"},
    {"OpenMapping", "a: {b: 1", "run.yaml:1:4: '{' without its '}'"},
    {"TwoColons", "a: b: c", "run.yaml:1:5: not valid YAML: illegal map value"},
    {"OpenQuote", "a: \"x", "run.yaml:1:6: not valid YAML: illegal EOF in scalar"},
    {"BadIndentation", "a:\n    b: 1\n  c: 2", "run.yaml:3:3: not valid YAML: end of map not found"},
};

INSTANTIATE_TEST_SUITE_P(Fault, RefusedYaml, testing::ValuesIn(kBadYaml),
                         [](const auto& bad) { return bad.param.fault; });

TEST(Yaml, TakesUtf8) {
  for (const char* text : {"é", "€", "\xF0\x9F\x8C\x8D", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(parse_yaml(concat("a: ", text), "run.yaml").root.find("a")->text, text);
  }
}

TEST(Yaml, ExpandsNothing) {
  EXPECT_EQ(parse_yaml("a: $HOME/${USER}/~", "run.yaml").root.find("a")->text, "$HOME/${USER}/~");
}

TEST(Yaml, AcceptsUpTo32Levels) {
  const auto nested = [](std::size_t lists) { return "a: " + std::string(lists, '[') + std::string(lists, ']'); };
  EXPECT_EQ(refusal(nested(kMaxDepth - 1)), "");
  EXPECT_EQ(refusal(nested(kMaxDepth)), "run.yaml:1:35: nested deeper than 32 levels");
  EXPECT_EQ(refusal(nested(100'000)), "run.yaml:1:35: nested deeper than 32 levels");
  std::string deep = "a:";
  for (int i = 0; i < 1000; ++i) deep += "\n" + std::string(static_cast<std::size_t>(i), ' ') + " a:";
  EXPECT_EQ(refusal(deep), "run.yaml:33:33: nested deeper than 32 levels");
}

TEST(Yaml, AcceptsUpToOneMebibyte) {
  const std::string fits = "a: " + std::string(kMaxBytes - 3, 'x');
  EXPECT_EQ(parse_yaml(fits, "run.yaml").root.find("a")->text.size(), kMaxBytes - 3);
  EXPECT_EQ(refusal(fits + "x"), "run.yaml:1:1: a config must not exceed 1048576 bytes, got 1048577");
}

TEST(Yaml, FindsADuplicateAmongManyKeysAtOnce) {
  std::string yaml;
  for (int i = 0; i < 100'000; ++i) yaml += concat("k", i, ":\n");
  yaml += "k0:\n";
  EXPECT_EQ(refusal(yaml), "run.yaml:100001:1: k0: duplicate key, first at line 1");
}

}  // namespace
}  // namespace peerless::config
