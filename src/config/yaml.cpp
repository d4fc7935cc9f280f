#include "peerless/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "peerless/base/error.h"
#include "peerless/base/utf8.h"
#include "src/config/characters.h"

namespace peerless::config {
namespace {

// Builds the tree from the parser's events, and refuses what a config may not hold as soon as it is seen.
class Builder : public YAML::EventHandler {
 public:
  Builder(std::string_view text, std::string_view source, std::string_view root_path, std::size_t depth)
      : text_(text), source_(source), root_path_(root_path), depth_(depth) {}

  // The document's value; null when there was none.
  Node take() { return std::move(root_); }

  [[noreturn]] void refuse(const YAML::Exception& e) const {
    using namespace YAML::ErrorMsg;
    if (e.msg == UNKNOWN_ANCHOR) {
      refuse(place(e.mark), path(), "aliases are refused; a text that begins with '*' needs quotes");
    }
    if ((e.msg == END_OF_SEQ_FLOW || e.msg == END_OF_MAP_FLOW) && !open_.empty()) {
      const Node& unclosed = open_.back().node;
      refuse(unclosed.place, root_path_,
             unclosed.form == Node::Form::list ? "'[' without its ']'" : "'{' without its '}'");
    }
    refuse(place(e.mark), root_path_, "not valid YAML: " + printable(e.msg));
  }
  [[noreturn]] void refuse(Place at, std::string_view path, std::string_view what) const {
    throw Error(ExitCode::config, where(source_, on_command_line() ? Place{} : at, path), what);
  }
  Place place(const YAML::Mark& mark) const {
    return on_command_line() ? Place{} : Place{mark.line + 1, mark.column + 1};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) refuse(place(mark), root_path_, "a second document begins here; a config is one document");
    started_ = true;
  }
  void OnDocumentEnd() override {}

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(place(mark), path(), "aliases are refused; write the value out");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_properties(mark, "?", anchor);
    if (expects_key()) refuse(place(mark), path(), "expected a key, got null");
    // The parser's place of a value that is left out is that of the next token.
    const bool has_key = !open_.empty() && open_.back().key;
    add(Node{.place = has_key ? open_.back().key->second : place(mark)});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool quoted = tag == "!" && is_quote(mark);  // the parser's tag of a quoted scalar; anybody may write it too
    refuse_properties(mark, quoted ? "?" : tag, anchor);
    if (value.find('\0') != std::string::npos) refuse(place(mark), path(), "a NUL character is refused");
    if (expects_key()) return open_key(mark, value, quoted);
    add(Node{.form = Node::Form::scalar, .quoted = quoted, .place = place(mark), .text = value});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, Node::Form::list, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, Node::Form::mapping, style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    std::unordered_set<std::string> keys;
    std::optional<std::pair<std::string, Place>> key;  // read, and waiting for its value
  };

  bool on_command_line() const { return source_.empty(); }
  bool expects_key() const {
    return !open_.empty() && open_.back().node.form == Node::Form::mapping && !open_.back().key;
  }

  bool is_quote(const YAML::Mark& mark) const {
    const auto at = static_cast<std::size_t>(mark.pos);
    return at < text_.size() && std::string_view("'\"|>").find(text_[at]) != std::string_view::npos;
  }

  // Of the value that is being read.
  std::string path() const {
    std::string path(root_path_);
    for (const Open& open : open_) {
      if (open.node.form == Node::Form::list) path = child_path(path, std::to_string(open.node.children.size()));
      if (open.key) path = child_path(path, excerpt(open.key->first));
    }
    return path;
  }

  void refuse_properties(const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor) const {
    if (anchor != 0) refuse(place(mark), path(), "anchors are refused; write the value out");
    if (tag != "?") refuse(place(mark), path(), "tags are refused");
  }

  void open_key(const YAML::Mark& mark, const std::string& key, bool quoted) {
    const std::string full = child_path(path(), excerpt(key));
    if (key == "<<" && !quoted) refuse(place(mark), full, "merge keys are refused; write the keys out");
    Open& mapping = open_.back();
    if (!mapping.keys.insert(key).second) {
      const Place first = mapping.node.find(key)->key_place;
      refuse(place(mark), full,
             on_command_line() ? "duplicate key" : concat("duplicate key, first at line ", first.line));
    }
    mapping.key = {key, place(mark)};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Form form,
            YAML::EmitterStyle::value style) {
    refuse_properties(mark, tag, anchor);
    if (expects_key()) {  // an unclosed bracket at the end of the text looks like one to the parser
      const bool flow = style == YAML::EmitterStyle::Flow;
      refuse(place(mark), path(),
             concat("a key must be a single word", flow ? "; or is this bracket never closed?" : ""));
    }
    if (depth_ + open_.size() >= kMaxDepth)
      refuse(place(mark), root_path_, concat("nested deeper than ", kMaxDepth, " levels"));
    open_.push_back({.node = Node{.form = form, .place = place(mark)}, .keys = {}, .key = {}});
  }

  void close() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.key) std::tie(node.key, node.key_place) = *std::exchange(parent.key, std::nullopt);
    parent.node.children.push_back(std::move(node));
  }

  std::string_view text_;
  std::string_view source_;
  std::string_view root_path_;
  std::size_t depth_;  // of the root
  bool started_ = false;
  std::vector<Open> open_;
  Node root_;
};

Node parse(std::string_view text, std::string_view source, std::string_view path, std::size_t depth) {
  Builder builder(text, source, path, depth);
  if (text.size() > kMaxBytes) {
    builder.refuse({1, 1}, path, concat("a config must not exceed ", kMaxBytes, " bytes, got ", text.size()));
  }
  if (const auto bad = find_bad_character(text)) builder.refuse({bad->line, bad->column}, path, bad->what);
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    builder.refuse(e);
  }
  return builder.take();
}

}  // namespace

const Node* Node::find(std::string_view wanted) const {
  const auto it =
      std::find_if(children.begin(), children.end(), [&](const Node& child) { return child.key == wanted; });
  return it == children.end() ? nullptr : &*it;
}

Tree parse_yaml(std::string_view text, std::string_view source) {
  Node root = parse(text, source, "", 0);
  if (root.form == Node::Form::null) root = Node{.form = Node::Form::mapping, .place = {1, 1}};
  if (root.form != Node::Form::mapping) {
    throw Error(ExitCode::config, where(source, root.place, ""), "expected a mapping of keys to values, got a ",
                root.form == Node::Form::list ? "list" : "single word");
  }
  return {std::string(source), std::move(root)};
}

Node parse_override_value(std::string_view text, std::string_view path, std::size_t depth) {
  return parse(text, "", path, depth);
}

std::string where(std::string_view source, Place place, std::string_view path) {
  std::string at = place.line == 0 ? "command line" : concat(printable(source), ":", place.line, ":", place.column);
  constexpr std::size_t kLongest = 200;  // of 32 keys of anybody's, each in 60 bytes
  return path.empty() ? at + ": " : concat(at, ": ", excerpt(path, kLongest), ": ");
}

std::string child_path(std::string_view parent, std::string_view key) {
  return parent.empty() ? std::string(key) : concat(parent, ".", key);
}

}  // namespace peerless::config
