#include "peerless/cluster/store.h"

#include <algorithm>
#include <charconv>

namespace peerless::cluster {
namespace {

using Kind = Message::Kind;

constexpr std::size_t kMaxKey = 1024;
constexpr std::size_t kMaxBytes = std::size_t{256} << 20;
constexpr std::size_t kShown = 200;  // of a key, in messages
constexpr std::size_t kUpkeep = 64;
constexpr std::size_t kMaxWaiters = 65536;
constexpr std::int64_t kMaxWait = std::int64_t{1000} * 3600 * 24 * 365;  // ms: no time overflows

void check_size(std::string_view what, std::size_t size, std::size_t most) {
  if (size > most) throw Error(ExitCode::internal, "the store takes no ", what, " of ", size, " bytes, at most ", most);
}

std::size_t bounded(std::size_t bytes) {
  if (bytes > kMaxBytes) throw Error(ExitCode::internal, "the store is full: it holds at most ", kMaxBytes, " bytes");
  return bytes;
}

std::size_t size_of_keys(const Message& request) {
  std::size_t bytes = kUpkeep;
  for (const auto& key : request.texts) bytes += key.size() + kUpkeep;
  return bytes;
}

}  // namespace

void Store::handle(std::int64_t client, Message request, Time now) {
  const auto id = request.id;
  try {
    if (request.kind == Kind::get || request.kind == Kind::wait) {
      request.number = std::clamp<std::int64_t>(request.number, 0, kMaxWait);
      const auto until = now + std::chrono::milliseconds(request.number);
      wait({client, std::move(request), until}, now);
    } else {
      auto answer = answer_to(request);
      answer.id = id;
      give(client, answer);
    }
  } catch (const Error& error) {
    fail(client, id, error);
  }
}

Message Store::answer_to(Message& request) {
  auto& texts = request.texts;
  Message answer{.kind = Kind::reply};
  switch (request.kind) {
    case Kind::set:
      put(texts[0], std::move(texts[1]));
      break;
    case Kind::append: {
      const auto* const old = find(texts[0]);
      put(texts[0], old == nullptr ? texts[1] : *old + texts[1]);
      break;
    }
    case Kind::add:
      answer.number = add(texts[0], request.number);
      break;
    case Kind::check:
      answer.number = std::ranges::all_of(texts, [&](const auto& key) { return find(key) != nullptr; }) ? 1 : 0;
      break;
    case Kind::compare_set:
      answer.texts = {compare_set(texts[0], texts[1], texts[2])};
      break;
    case Kind::remove:
      answer.number = remove(texts[0]) ? 1 : 0;
      break;
    case Kind::count:
      answer.number = static_cast<std::int64_t>(values_.size());
      break;
    default:
      PEERLESS_CHECK(false, "kind ", static_cast<int>(request.kind));
  }
  return answer;
}

void Store::wait(Waiter waiter, Time now) {
  for (const auto& key : waiter.request.texts) check_size("key", key.size(), kMaxKey);
  if (try_to_answer(waiter)) return;
  if (waiters_.size() == kMaxWaiters) throw Error(ExitCode::internal, "the store has too many who wait");
  bytes_ = bounded(bytes_ + size_of_keys(waiter.request));
  waiters_.push_back(std::move(waiter));
  expire(now);
}

// Else notes which key is missing.
bool Store::try_to_answer(Waiter& waiter) {
  if (take_no_more_.contains(waiter.client)) return true;
  Message answer{.kind = Kind::reply, .id = waiter.request.id};
  std::size_t size = 0;
  for (std::size_t i = 0; i < waiter.request.texts.size(); ++i) {
    const auto* const value = find(waiter.request.texts[i]);
    if (value == nullptr) {
      waiter.missing = i;
      return false;
    }
    size += value->size();
    if (waiter.request.kind == Kind::get && size <= 2 * kMaxValue) answer.texts.push_back(*value);
  }
  if (waiter.request.kind == Kind::get && size > 2 * kMaxValue) {
    fail(waiter.client, waiter.request.id,
         Error(ExitCode::internal, "the store gives at most ", 2 * kMaxValue, " bytes at once, asked for ", size));
  } else {
    give(waiter.client, answer);
  }
  return true;
}

template <class Done>
void Store::end_waits(const Done& done) {
  waiters_.remove_if([&](Waiter& waiter) {
    if (!done(waiter)) return false;
    bytes_ -= size_of_keys(waiter.request);
    return true;
  });
}

void Store::expire(Time now) {
  end_waits([&](const Waiter& waiter) {
    if (waiter.until > now) return false;
    fail(waiter.client, waiter.request.id,
         Error(ExitCode::peer, "the store: nobody set key '", excerpt(waiter.missing_key(), kShown), "' within ",
               in_seconds(std::chrono::milliseconds(waiter.request.number))));
    return true;
  });
}

Time Store::next_expiry() const {
  auto next = Time::max();
  for (const auto& waiter : waiters_) next = std::min(next, waiter.until);
  return next;
}

void Store::forget(std::int64_t client) {
  take_no_more_.erase(client);
  end_waits([client](const Waiter& waiter) { return waiter.client == client; });
}

void Store::put(const std::string& key, std::string value) {
  check_size("key", key.size(), kMaxKey);
  check_size("value", value.size(), kMaxValue);
  const auto* const old = find(key);
  bytes_ =
      bounded(bytes_ + value.size() + (old == nullptr ? key.size() + kUpkeep : 0) - (old == nullptr ? 0 : old->size()));
  const bool is_new = old == nullptr;
  values_[key] = std::move(value);
  if (is_new) end_waits([&](Waiter& waiter) { return waiter.missing_key() == key && try_to_answer(waiter); });
}

std::int64_t Store::add(const std::string& key, std::int64_t number) {
  const auto* const text = find(key);
  std::int64_t old = 0;
  std::int64_t sum = 0;
  if (text != nullptr) {
    const auto* const last = text->data() + text->size();
    const auto [end, error] = std::from_chars(text->data(), last, old);
    if (error != std::errc() || end != last) {
      throw Error(ExitCode::internal, "the store: '", excerpt(key, kShown), "' is no counter");
    }
  }
  if (__builtin_add_overflow(old, number, &sum)) {
    throw Error(ExitCode::internal, "the store: counter '", excerpt(key, kShown), "' overflows");
  }
  put(key, std::to_string(sum));
  return sum;
}

// As c10d has it: a key that is not there counts as empty, and what comes back is the value that now is there, but
// where nothing is, the one that was expected.
std::string Store::compare_set(const std::string& key, const std::string& expected, const std::string& desired) {
  const auto* const value = find(key);
  if (value == nullptr && !expected.empty()) return expected;
  if (value != nullptr && *value != expected) return *value;
  put(key, desired);
  return desired;
}

bool Store::remove(const std::string& key) {
  const auto* const value = find(key);
  if (value == nullptr) return false;
  bytes_ -= key.size() + value->size() + kUpkeep;
  values_.erase(key);
  return true;
}

const std::string* Store::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void Store::give(std::int64_t client, const Message& answer) {
  if (!take_no_more_.contains(client) && !answer_(client, answer)) take_no_more_.insert(client);
}

void Store::fail(std::int64_t client, std::uint64_t id, const Error& error) {
  give(client,
       {.kind = Kind::failed, .id = id, .number = static_cast<std::int64_t>(error.code()), .texts = {error.what()}});
}

}  // namespace peerless::cluster
