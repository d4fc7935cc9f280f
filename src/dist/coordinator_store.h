// The coordinator's store as c10d wants one: gloo and NCCL find each other by it.
#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "peerless/cluster/client.h"

namespace peerless {

class CoordinatorStore final : public c10d::Store {
 public:
  // The client outlives it and all copies.
  CoordinatorStore(cluster::Client& client, std::chrono::milliseconds timeout) : Store(timeout), client_(client) {}

  using Bytes = std::vector<std::uint8_t>;
  using Keys = std::vector<std::string>;
  c10::intrusive_ptr<Store> clone() override;
  void set(const std::string& key, const Bytes& value) override;
  Bytes get(const std::string& key) override;
  std::int64_t add(const std::string& key, std::int64_t number) override;
  Bytes compareSet(const std::string& key, const Bytes& expected, const Bytes& desired) override;
  bool deleteKey(const std::string& key) override;
  bool check(const Keys& keys) override;
  std::int64_t getNumKeys() override;
  void wait(const Keys& keys) override;
  void wait(const Keys& keys, const std::chrono::milliseconds& timeout) override;
  void append(const std::string& key, const Bytes& value) override;
  std::vector<Bytes> multiGet(const Keys& keys) override;
  void multiSet(const Keys& keys, const std::vector<Bytes>& values) override;
  bool hasExtendedApi() const override { return true; }

 private:
  cluster::Client& client_;
};

}  // namespace peerless
