#include "peerless/data/token_source.h"

#include <algorithm>
#include <map>

#include "peerless/base/error.h"
#include "src/data/dataset_file.h"
#include "src/data/ordered_work.h"

namespace peerless {
namespace {

using Path = std::filesystem::path;

std::vector<Path> shard_files(const Path& path) {
  if (!is_folder(path)) return {path};
  std::vector<Path> files;
  for (const auto& name : disk().list(path)) {
    if (name.ends_with(".tok")) files.push_back(path / name);
  }
  if (files.empty()) {
    throw Error(ExitCode::no_input, path,
                ": no token shards (*.tok) in this folder; `peerless data prepare` makes them");
  }
  return files;
}

void check_listed(const Dataset& dataset, const Path& folder, const std::vector<std::unique_ptr<TokenShard>>& shards) {
  std::map<std::string, Digest> found;
  for (const auto& shard : shards) found[shard->path().filename().string()] = shard->digest();
  for (const auto& [name, listed] : dataset.shards) {
    const auto at = found.find(name);
    if (at == found.end()) throw Error(ExitCode::data, folder / name, ": absent, but listed in dataset.json beside it");
    if (at->second != listed.digest) {
      throw Error(ExitCode::data, folder / name, ": expected digest ", listed.digest.hex(),
                  " as dataset.json says, found ", at->second.hex());
    }
    found.erase(at);
  }
  if (!found.empty()) {
    throw Error(ExitCode::data, folder / found.begin()->first, ": not listed in dataset.json beside it");
  }
}

struct Fault {
  ExitCode code = ExitCode::ok;
  std::string what;
};

template <class Action>
Fault fault(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

// Index of the part that holds `position`, given where the parts begin and, last, where all end.
std::size_t part_of(const std::vector<std::uint64_t>& begins, std::uint64_t position) {
  return static_cast<std::size_t>(std::upper_bound(begins.begin(), begins.end() - 1, position) - begins.begin()) - 1;
}

}  // namespace

TokenSource::TokenSource(const Path& path, const Files& files) : path_(path) {
  for (const auto& file : shard_files(path)) {
    auto shard = std::make_unique<TokenShard>(file, files);
    if (!shards_.empty() && shard->tokenizer() != tokenizer()) {
      throw Error(ExitCode::data, file, ": made with another tokenizer than ", shards_.front()->path(),
                  " beside it: ", shard->tokenizer().digest.hex(), " and ", tokenizer().digest.hex());
    }
    first_tokens_.push_back(first_tokens_.back() + shard->tokens());
    first_documents_.push_back(first_documents_.back() + shard->documents());
    shards_.push_back(std::move(shard));
  }
  if (const auto listed = read_dataset(path)) check_listed(*listed, path, shards_);
}

Digest TokenSource::digest() const {
  Hasher hasher;
  for (const auto& shard : shards_) hasher.update(shard->digest().hex());
  return hasher.digest();
}

std::uint64_t TokenSource::raw_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& shard : shards_) bytes += shard->raw_bytes();
  return bytes;
}

TokenSource::Document TokenSource::document(std::uint64_t index) const {
  PEERLESS_CHECK(index < documents(), "document ", index, " of ", documents());
  const auto part = part_of(first_documents_, index);
  const auto& shard = *shards_[part];
  const auto local = index - first_documents_[part];
  const auto first = shard.first_token(local);
  return {first_tokens_[part] + first, shard.end_token(local) - first, shard.raw_bytes(local)};
}

std::uint64_t TokenSource::documents_before(std::uint64_t token) const {
  if (token >= tokens()) return documents();
  const auto part = part_of(first_tokens_, token);
  return first_documents_[part] + shards_[part]->documents_before(token - first_tokens_[part]);
}

std::uint64_t TokenSource::documents_in(std::uint64_t first, std::uint64_t count) const {
  return documents_before(first + count) - documents_before(first);
}

void TokenSource::copy(std::uint64_t first, std::span<std::int64_t> into) const {
  PEERLESS_CHECK(first + into.size() <= tokens(), "tokens ", first, " + ", into.size(), " of ", tokens());
  for (auto part = part_of(first_tokens_, first); !into.empty(); ++part) {
    const auto count = std::min<std::uint64_t>(into.size(), first_tokens_[part + 1] - first);
    shards_[part]->copy(first - first_tokens_[part], into.first(count));
    first += count;
    into = into.subspan(count);
  }
}

void TokenSource::expect(const TokenizerInfo& expected) const {
  if (tokenizer() == expected) return;
  const auto words = [](const TokenizerInfo& info) {
    return concat(info.digest.hex(), " of ", info.vocab_size, " tokens");
  };
  throw Error(ExitCode::config, path_, ": made with the tokenizer ", words(tokenizer()), ", not with this run's ",
              words(expected), "; prepare the data with this run's tokenizer, or name the one it was prepared with");
}

std::vector<std::string> faults(const Path& path, std::int64_t threads) {
  std::vector<std::string> found;
  ExitCode code = ExitCode::ok;
  const auto note = [&](const Fault& fault) {
    if (fault.code == ExitCode::ok) return;
    found.push_back(fault.what);
    if (code == ExitCode::ok || code == ExitCode::data) code = fault.code;
  };
  OrderedWork<Path, Fault> work(
      threads, /*budget=*/static_cast<std::uint64_t>(2 * threads),
      [](const Path& file) { return fault([&] { TokenShard(file).verify(); }); }, note);
  for (const auto& file : shard_files(path)) work.add(file, 1);
  work.finish();
  if (found.empty()) note(fault([&] { TokenSource source(path); }));  // what is wrong among them
  if (code != ExitCode::ok && code != ExitCode::data) throw Error(code, join(found, "\n"));
  return found;
}

}  // namespace peerless
