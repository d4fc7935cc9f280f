// Processes that do something together, as far as they can tell each other texts: what a save takes.
//
// Rule     all call the same operations in the same order, one at a time
// Errors   Error(peer): another one is lost
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "peerless/base/error.h"

namespace peerless {

class Peers {
 public:
  virtual ~Peers() = default;
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t world_size() const = 0;

  // On rank 0 what each says, by rank; nothing on the others.
  virtual std::vector<std::string> collect(const std::string& here) = 0;
  // What rank 0 says, on all.
  virtual std::string announce(const std::string& here) = 0;
};

// A process that has none beside it.
class NoPeers final : public Peers {
 public:
  std::int64_t rank() const override { return 0; }
  std::int64_t world_size() const override { return 1; }
  std::vector<std::string> collect(const std::string& here) override { return {here}; }
  std::string announce(const std::string& here) override { return here; }
};

// An error that all processes throw at the same place: who throws it need not tell the others.
class SharedError : public Error {
 public:
  using Error::Error;
};

// Calls `work` on all; returns when it went well on all. What it throws on one, all throw as a SharedError: the others
// with the number of the process before its words.
void together(Peers& peers, const std::function<void()>& work);

}  // namespace peerless
