// The two kinds of errors.
//
// Error       somebody outside can mend it: a bad flag, file, config, a full disk. One line, no stack trace:
//             where, rule, what was received, what to do next. The program ends with its exit code.
// BrokenInvariant   one of ours, thrown by PEERLESS_CHECK (TORCH_CHECK where torch is known): the program ends with 70.
#pragma once

#include <stdexcept>
#include <string>

#include "peerless/base/text.h"

namespace peerless {

// The exit codes of the program. Values are part of the interface: never change them.
enum class ExitCode : int {
  ok = 0,
  different = 1,     // `checkpoint diff` of checkpoints that are not the same
  usage = 64,        // bad command line
  data = 65,         // content of a shard, tokenizer or checkpoint is invalid
  no_input = 66,     // a named input is absent or unreadable
  internal = 70,     // an invariant of ours is broken
  output = 73,       // output folder not writable, locked, or holding another run
  io = 74,           // read or write error, disk full
  preempted = 75,    // stopped on request; the same command goes on
  peer = 76,         // a collective failed or a peer died
  config = 78,       // config invalid, or contradicting the checkpoint
  diverged = 80,     // too many steps not finite, or spikes, and no way back
  no_progress = 81,  // too many restarts without a new durable step
};

// The name of a code as fatal messages print it: "CONFIG", "DATA", ...
const char* name(ExitCode code);

class Error : public std::runtime_error {
 public:
  // The message is the parts, one after another: Error(ExitCode::data, path, ": expected ", 3, " tokens, got ", n).
  template <class... Parts>
  explicit Error(ExitCode code, const Parts&... parts) : std::runtime_error(concat(parts...)), code_(code) {}

  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Says "file:line: broken invariant: condition: what".
class BrokenInvariant : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void broken_invariant(const char* file, int line, const char* condition, const std::string& what);

}  // namespace peerless

// Checks an invariant of ours, also in release builds: PEERLESS_CHECK(i < n, "i = ", i).
#define PEERLESS_CHECK(condition, ...) \
  ((condition) ? void() : ::peerless::broken_invariant(__FILE__, __LINE__, #condition, ::peerless::concat(__VA_ARGS__)))
