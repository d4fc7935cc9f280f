#include "peerless/cluster/node_list.h"

#include <algorithm>
#include <iterator>

#include "peerless/base/error.h"
#include "peerless/cluster/message.h"
#include "peerless/config/scalar.h"

namespace peerless {
namespace {

constexpr std::size_t kMaxNodes = cluster::kMaxTexts;  // a message has a row for each process
constexpr std::size_t kMaxName = 253;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kInNames = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

class Reader {
 public:
  Reader(std::string_view list, std::string_view where) : rest_(list), where_(where) {}

  std::vector<std::string> nodes() {
    for (;;) {
      const auto literal = rest_.substr(0, rest_.find_first_of("[,"));
      if (literal.find_first_not_of(kInNames) != std::string_view::npos) refuse("no character of a name");
      append_to_names({std::string(literal)});
      rest_.remove_prefix(literal.size());
      if (rest_.starts_with('[')) {
        const auto close = rest_.find(']');
        if (close == std::string_view::npos) refuse("a bracket without end");
        append_to_names(numbers(rest_.substr(1, close - 1)));
        rest_.remove_prefix(close + 1);
        continue;
      }
      if (names_.front().empty()) refuse("a name is empty");
      nodes_.insert(nodes_.end(), std::make_move_iterator(names_.begin()), std::make_move_iterator(names_.end()));
      if (rest_.empty()) return std::move(nodes_);
      names_ = {""};
      rest_.remove_prefix(1);
    }
  }

 private:
  [[noreturn]] void refuse(std::string_view fault) const {
    throw Error(ExitCode::config, where_, ": ", fault, ", at '", printable(rest_.substr(0, 80)), "'; expected up to ",
                kMaxNodes, " names, as in node[01-03,7],x5");
  }

  // Each name with each of the tails.
  void append_to_names(const std::vector<std::string>& tails) {
    if (names_.size() * tails.size() > kMaxNodes - nodes_.size()) refuse("too many nodes");
    if (tails.size() == 1) return append_to_each_name(tails.front());
    std::vector<std::string> longer;
    longer.reserve(names_.size() * tails.size());
    for (const auto& name : names_) {
      for (const auto& tail : tails) {
        if (name.size() + tail.size() > kMaxName) refuse("a name is too long");
        longer.push_back(name + tail);
      }
    }
    names_ = std::move(longer);
  }

  // In place, for a list may say "[1]" again and again.
  void append_to_each_name(const std::string& tail) {
    for (auto& name : names_) {
      if (name.size() + tail.size() > kMaxName) refuse("a name is too long");
      name += tail;
    }
  }

  std::vector<std::string> numbers(std::string_view brackets) const {
    std::vector<std::string> numbers;
    for (const auto& range : split(brackets, ',')) {
      const auto ends = split(range, '-');
      const auto is_number = [](const auto& end) { return end.find_first_not_of(kDigits) == std::string::npos; };
      if (ends.size() > 2 || !std::all_of(ends.begin(), ends.end(), is_number)) refuse("neither number nor range");
      const auto first = exact_decimal(ends.front(), 0), last = exact_decimal(ends.back(), 0);
      if (!first || !last || *last < *first) refuse("neither number nor range");
      if (ends.front().size() > kMaxName) refuse("a name is too long");
      const auto more = *last - *first;
      if (more >= static_cast<std::int64_t>(kMaxNodes - numbers.size())) refuse("too many nodes");
      for (std::int64_t i = 0; i <= more; ++i) numbers.push_back(zero_padded(*first + i, ends.front().size()));
    }
    return numbers;
  }

  std::string_view rest_;  // of the list, not read yet
  std::string_view where_;
  std::vector<std::string> nodes_;
  std::vector<std::string> names_ = {""};  // of the item that is being read
};

}  // namespace

std::vector<std::string> expand_node_list(std::string_view list, std::string_view where) {
  return Reader(list, where).nodes();
}

}  // namespace peerless
