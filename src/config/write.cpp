#include "peerless/config/write.h"

#include <algorithm>

namespace peerless::config {
namespace {

struct Line {
  std::string text;
  std::string path;  // of the value on this line; empty: there is none
};

class Writer {
 public:
  std::vector<Line> lines;

  void record(const Record& type, const void* value, std::string_view path, std::size_t indent) {
    for (const Field& field : type.fields) {
      part(field.type, field.in(value), std::string(indent, ' ') + field.name + ":", child_path(path, field.name),
           indent + 2);
    }
  }

 private:
  // `head` is "key:" or "-", at its indentation; what does not fit on its line follows, `indent` deep.
  void part(const Type& type, const void* value, const std::string& head, const std::string& path, std::size_t indent) {
    if (type.form == Type::Form::optional) {
      const auto& optional = static_cast<const Optional&>(type);
      if (const void* inner = optional.get(value)) return part(optional.inner, inner, head, path, indent);
    } else if (type.form == Type::Form::record && !static_cast<const Record&>(type).fields.empty()) {
      lines.push_back({head, ""});
      return record(static_cast<const Record&>(type), value, path, indent);
    } else if (type.form == Type::Form::variant) {
      const auto& variant = static_cast<const Variant&>(type);
      lines.push_back({head, ""});
      lines.push_back(
          {std::string(indent, ' ') + "kind: " + quote(variant.active(value).kind), child_path(path, "kind")});
      return record(variant.active(value), variant.get(value), path, indent);
    } else if (type.form == Type::Form::list && spans_lines(static_cast<const List&>(type), value)) {
      lines.push_back({head, ""});
      return elements(static_cast<const List&>(type), value, path, indent);
    }
    lines.push_back({head + " " + one_line(type, value), path});
  }

  static bool spans_lines(const List& list, const void* value) {
    const bool mappings = list.element.form == Type::Form::record || list.element.form == Type::Form::variant;
    return mappings && list.size(value) > 0;
  }

  // "- " takes the place of the first key's indentation.
  void elements(const List& list, const void* value, const std::string& path, std::size_t indent) {
    for (std::size_t i = 0; i < list.size(value); ++i) {
      const std::size_t head = lines.size();
      part(list.element, list.at(value, i), "", child_path(path, std::to_string(i)), indent + 2);
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(head));
      lines[head].text[indent] = '-';
    }
  }
};

std::vector<Line> lines_of(const Record& type, const void* value) {
  Writer writer;
  writer.record(type, value, "", 0);
  return std::move(writer.lines);
}

std::string one_line_fields(const Record& type, const void* value, std::vector<std::string> parts) {
  for (const Field& field : type.fields) parts.push_back(field.name + ": " + one_line(field.type, field.in(value)));
  return "{" + join(parts, ", ") + "}";
}

}  // namespace

Origins::Origins(const Tree& tree) { add(tree.root, "", tree.source); }

void Origins::add(const Node& node, const std::string& path, const std::string& source) {
  if (node.form != Node::Form::mapping) {
    origins_[path] = node.place.line == 0 ? "command line" : concat(printable(source), ":", node.place.line);
  }
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const Node& child = node.children[i];
    add(child, child_path(path, node.form == Node::Form::list ? std::to_string(i) : child.key), source);
  }
}

std::string Origins::of(std::string_view path) const {
  const auto own = origins_.find(path);
  if (own == origins_.end()) return "default";
  std::vector<std::string> all{own->second};
  const std::string prefix = concat(path, ".");
  for (auto it = origins_.lower_bound(prefix); it != origins_.end() && it->first.starts_with(prefix); ++it) {
    if (std::find(all.begin(), all.end(), it->second) == all.end()) all.push_back(it->second);
  }
  return join(all, ", ");
}

std::string dump(const Record& type, const void* value) {
  std::string out;
  for (const Line& line : lines_of(type, value)) out += line.text + "\n";
  return out;
}

std::string show(const Record& type, const void* value, const Origins& origins) {
  constexpr std::size_t kWidest = 60;  // a longer line does not push all comments to the right
  const auto lines = lines_of(type, value);
  std::size_t width = 0;
  for (const Line& line : lines) {
    if (!line.path.empty() && line.text.size() <= kWidest) width = std::max(width, line.text.size());
  }
  std::string out;
  for (const Line& line : lines) {
    out += line.text;
    if (!line.path.empty()) {
      if (line.text.size() < width) out.append(width - line.text.size(), ' ');
      out += "  # " + origins.of(line.path);
    }
    out += "\n";
  }
  return out;
}

std::string one_line(const Type& type, const void* value) {
  switch (type.form) {
    case Type::Form::leaf:
      return static_cast<const Leaf&>(type).yaml(value);
    case Type::Form::optional: {
      const auto& optional = static_cast<const Optional&>(type);
      const void* inner = optional.get(value);
      return inner ? one_line(optional.inner, inner) : "null";
    }
    case Type::Form::list: {
      const auto& list = static_cast<const List&>(type);
      std::vector<std::string> parts;
      for (std::size_t i = 0; i < list.size(value); ++i) parts.push_back(one_line(list.element, list.at(value, i)));
      return "[" + join(parts, ", ") + "]";
    }
    case Type::Form::record:
      return one_line_fields(static_cast<const Record&>(type), value, {});
    default: {
      const auto& variant = static_cast<const Variant&>(type);
      return one_line_fields(variant.active(value), variant.get(value), {"kind: " + quote(variant.active(value).kind)});
    }
  }
}

}  // namespace peerless::config
