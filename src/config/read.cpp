#include "peerless/config/read.h"

#include <algorithm>
#include <limits>
#include <set>

#include "peerless/base/error.h"
#include "src/config/suggest.h"

namespace peerless::config {
namespace {

constexpr std::size_t kMaxProblems = 10;
constexpr std::size_t kMaxBytesOfProblems = 3000;

std::string describe(const Node& node) {
  switch (node.form) {
    case Node::Form::null:
      return "null";
    case Node::Form::scalar:
      return "'" + excerpt(node.text) + "'";
    case Node::Form::list:
      return "a list";
    default:
      return "a mapping";
  }
}

class Reader {
 public:
  Reader(const Tree& tree, const Record& root) : source_(tree.source), root_(root) {}

  // What overrides have changed since: each value by itself, for they may have completed or mended the whole.
  void alone(const Node& file) {
    const auto scratch = root_.make();
    alone_ = true;
    record(root_, file, "", /*among=*/nullptr, scratch.get());
    alone_ = false;
  }

  // `among` is the variant that the record is the chosen alternative of, if any.
  void record(const Record& type, const Node& node, std::string_view path, const Variant* among, void* value) {
    const std::size_t problems_before = problems_.size();
    bool misspelt = alone_;  // then the key that seems absent may be there
    for (const Node& child : node.children) {
      if (among && child.key == "kind") continue;
      const std::string child_name = child_path(path, excerpt(child.key));
      if (const Field* field = type.find(child.key)) {
        any(field->type, child, child_name, field->rule, field->in(value));
      } else {
        add(child.key_place, child_name,
            among ? unknown_key_of_kind(type, child, path, *among, node) : unknown_key(names_of(type), child));
        misspelt = true;
      }
    }
    for (const Field& field : type.fields) {
      if (!misspelt && !node.find(field.name))
        defaulted(field.type, node.place, child_path(path, field.name), field.rule, field.in(value));
    }
    if (problems_.size() == problems_before) check(type, node.place, path, value);
  }

  void throw_problems() {
    if (problems_.empty()) return;
    // What the file says first is told first; a part that is absent has the place of what it is absent from.
    const auto line = [](const Problem& p) {
      return p.place.line == 0 ? std::numeric_limits<int>::max() : p.place.line;
    };
    std::stable_sort(problems_.begin(), problems_.end(), [&](const Problem& a, const Problem& b) {
      return std::pair(line(a), a.place.column) < std::pair(line(b), b.place.column);
    });
    std::vector<std::string> lines;
    std::size_t bytes = 0;
    for (const Problem& problem : problems_) {
      bytes += problem.text.size();
      if (lines.size() == kMaxProblems || (bytes > kMaxBytesOfProblems && !lines.empty())) break;
      lines.push_back(problem.text);
    }
    const std::size_t untold = problems_.size() - lines.size();
    if (untold > 0) lines.push_back(concat("and ", untold, " more"));
    throw Error(ExitCode::config, join(lines, "\n"));
  }

 private:
  struct Problem {
    Place place;
    std::string text;
  };

  void any(const Type& type, const Node& node, std::string_view path, const Rule& rule, void* value) {
    dispatch(type, [&](const auto& known) { this->part(known, node, path, rule, value); });
  }

  void part(const Leaf& type, const Node& node, std::string_view path, const Rule& rule, void* value) {
    if (node.form != Node::Form::scalar) return add_unexpected(node, path, expected(type));
    if (node.quoted && !type.json_type.empty() && type.json_type != "string") {
      return add(node.place, path, concat("expected ", expected(type), ", got \"", excerpt(node.text), "\" in quotes"));
    }
    if (const std::string complaint = type.read(node, value); !complaint.empty())
      return add(node.place, path, complaint);
    if (rule.holds && !rule.holds(value))
      add(node.place, path, concat("must be ", rule.text, ", got ", type.yaml(value)));
  }

  void part(const Optional& type, const Node& node, std::string_view path, const Rule& rule, void* value) {
    if (node.form == Node::Form::null) return type.reset(value);
    any(type.inner, node, path, rule, type.emplace(value));
  }

  void part(const List& type, const Node& node, std::string_view path, const Rule& rule, void* value) {
    if (node.form != Node::Form::list) return add_unexpected(node, path, "a list");
    type.clear(value);
    const Rule none;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      any(type.element, node.children[i], child_path(path, std::to_string(i)), rule.of_list ? none : rule,
          type.append(value));
    }
    if (rule.of_list && !rule.holds(value)) add(node.place, path, concat("must be ", rule.text));
  }

  void part(const Record& type, const Node& node, std::string_view path, const Rule&, void* value) {
    if (node.form != Node::Form::mapping) return add_unexpected(node, path, "a mapping");
    record(type, node, path, /*among=*/nullptr, value);
  }

  void part(const Variant& type, const Node& node, std::string_view path, const Rule&, void* value) {
    if (node.form != Node::Form::mapping) return add_unexpected(node, path, "a mapping with a kind");
    const Node* kind = node.find("kind");
    if (!kind && node.implied) {  // `optim.lr=3` on the command line, and no optim in the file
      return record(type.active(value), node, path, /*among=*/&type, const_cast<void*>(type.get(value)));
    }
    if (!kind) return without_kind(type, node, path);
    const auto names = type.kind_names();
    const auto name = std::find(names.begin(), names.end(), kind->text);
    if (kind->form != Node::Form::scalar) return add_unexpected(*kind, child_path(path, "kind"), one_of(names));
    if (name == names.end()) return add(kind->place, child_path(path, "kind"), unknown_choice(names, kind->text));
    const auto index = static_cast<std::size_t>(name - names.begin());
    record(*type.kinds[index], node, path, &type, type.emplace(value, index));
  }

  // A key that no kind has may be a misspelt `kind`.
  void without_kind(const Variant& type, const Node& node, std::string_view path) {
    std::vector<std::string> names;
    for (const Record* kind : type.kinds) {
      for (const Field& field : kind->fields) names.push_back(field.name);
    }
    names.emplace_back("kind");
    bool misspelt = alone_;
    for (const Node& child : node.children) {
      if (std::find(names.begin(), names.end(), child.key) != names.end()) continue;
      misspelt = misspelt || nearest(child.key, names) == "kind";
      add(child.key_place, child_path(path, excerpt(child.key)), unknown_key(names, child));
    }
    if (!misspelt) add(node.place, path, concat("kind is missing: ", one_of(type.kind_names())));
  }

  // An absent part: its defaults may break a rule, which is how a field is required.
  void defaulted(const Type& type, Place place, std::string_view path, const Rule& rule, const void* value) {
    if (is_required(type, rule, value)) return add(place, path, concat("is required, and must be ", rule.text));
    if (type.form == Type::Form::record) return defaulted_record(static_cast<const Record&>(type), place, path, value);
    if (type.form == Type::Form::variant) {
      const auto& variant = static_cast<const Variant&>(type);
      defaulted_record(variant.active(value), place, path, variant.get(value));
    }
  }

  void defaulted_record(const Record& type, Place place, std::string_view path, const void* value) {
    const std::size_t problems_before = problems_.size();
    for (const Field& field : type.fields)
      defaulted(field.type, place, child_path(path, field.name), field.rule, field.in(value));
    if (problems_.size() == problems_before) check(type, place, path, value);
  }

  void check(const Record& type, Place place, std::string_view path, const void* value) {
    if (!type.check || alone_) return;
    try {
      type.check(value);
    } catch (const Error& e) {
      add(place, path, e.what());
    }
  }

  static std::string expected(const Leaf& type) { return type.choices.empty() ? type.expected : one_of(type.choices); }

  static std::vector<std::string> names_of(const Record& type) {
    std::vector<std::string> names;
    for (const Field& field : type.fields) names.push_back(field.name);
    return names;
  }

  std::string unknown_key(const std::vector<std::string>& here, const Node& child) {
    if (keys_.empty()) keys_ = keys(root_);
    return "unknown key" + suggestion(excerpt(child.key), here, keys_);
  }

  // `node` is the mapping at `path` whose kind is `type`.
  std::string unknown_key_of_kind(const Record& type, const Node& child, std::string_view path, const Variant& among,
                                  const Node& node) {
    for (const Record* other : among.kinds) {
      if (!other->find(child.key)) continue;
      const bool replaced = child.key_place.line != 0 && node.find("kind") && node.find("kind")->place.line == 0;
      return concat("unknown key of kind '", type.kind, "'; it belongs to kind '", other->kind, "'",
                    replaced ? concat("; to replace that on the command line, set the whole: ", path,
                                      "='{kind: ", type.kind, "}'")
                             : "");
    }
    auto here = names_of(type);
    here.emplace_back("kind");
    return unknown_key(here, child);
  }

  void add(Place place, std::string_view path, std::string_view what) {
    auto text = concat(where(source_, place, path), what);
    if (told_.insert(text).second) problems_.push_back({place, std::move(text)});
  }
  void add_unexpected(const Node& node, std::string_view path, std::string_view expected) {
    add(node.place, path, concat("expected ", expected, ", got ", describe(node)));
  }

  std::string source_;
  const Record& root_;
  bool alone_ = false;
  std::vector<Problem> problems_;
  std::set<std::string> told_;  // alone and with the overrides, the file has the same problems
  std::vector<Key> keys_;       // of the root, once they are needed
};

}  // namespace

void read(const Tree& tree, const Record& type, void* value) {
  Reader reader(tree, type);
  if (tree.alone) reader.alone(*tree.alone);
  reader.record(type, tree.root, "", /*among=*/nullptr, value);
  reader.throw_problems();
}

}  // namespace peerless::config
