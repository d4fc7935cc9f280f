#include "src/dist/coordinator_store.h"

namespace peerless {
namespace {

std::string to_text(const CoordinatorStore::Bytes& bytes) { return {bytes.begin(), bytes.end()}; }
CoordinatorStore::Bytes to_bytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

c10::intrusive_ptr<c10d::Store> CoordinatorStore::clone() {
  return c10::make_intrusive<CoordinatorStore>(client_, timeout_);
}

void CoordinatorStore::set(const std::string& key, const Bytes& value) { client_.set(key, to_text(value)); }

CoordinatorStore::Bytes CoordinatorStore::get(const std::string& key) { return to_bytes(client_.get(key, timeout_)); }

std::int64_t CoordinatorStore::add(const std::string& key, std::int64_t number) { return client_.add(key, number); }

CoordinatorStore::Bytes CoordinatorStore::compareSet(const std::string& key, const Bytes& expected,
                                                     const Bytes& desired) {
  return to_bytes(client_.compare_set(key, to_text(expected), to_text(desired)));
}

bool CoordinatorStore::deleteKey(const std::string& key) { return client_.remove(key); }

bool CoordinatorStore::check(const Keys& keys) { return client_.check(keys); }

std::int64_t CoordinatorStore::getNumKeys() { return client_.num_keys(); }

void CoordinatorStore::wait(const Keys& keys) { client_.wait(keys, timeout_); }

void CoordinatorStore::wait(const Keys& keys, const std::chrono::milliseconds& timeout) { client_.wait(keys, timeout); }

void CoordinatorStore::append(const std::string& key, const Bytes& value) { client_.append(key, to_text(value)); }

std::vector<CoordinatorStore::Bytes> CoordinatorStore::multiGet(const Keys& keys) {
  std::vector<Bytes> values;
  for (const auto& text : client_.get_all(keys, timeout_)) values.push_back(to_bytes(text));
  return values;
}

void CoordinatorStore::multiSet(const Keys& keys, const std::vector<Bytes>& values) {
  for (std::size_t i = 0; i < keys.size(); ++i) set(keys[i], values.at(i));
}

}  // namespace peerless
