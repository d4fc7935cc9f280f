// The program, on a disk that ends it, fails, or has it asked to stop where its test says (fault.h).
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "peerless/cli/run.h"
#include "tests/reliability/trainer/fault.h"

namespace {

using peerless::Operation;
using peerless::reliability::Fault;

void sleep(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

[[noreturn]] void die(const Fault& fault, const Operation& operation) {
  if (operation.half && fault.number % 2 == 0) operation.half();
  if (const pid_t partner = fault.partner; partner != 0) ::kill(partner, SIGKILL);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

void before(Fault& fault, const Operation& operation) {
  const auto label = peerless::reliability::label(operation);
  if (label.ends_with("training data")) {
    while (fault.hold_data) sleep(1);
    return;
  }
  const auto numbers = fault.operations.add(label);
  if (label == "sync part") sleep(fault.delay_sync_ms);
  if (label == "read manifest") sleep(fault.delay_read_ms.exchange(0));
  const int number = fault.label[0] == 0 ? numbers.of_all : label == fault.label.data() ? numbers.of_label : 0;
  const bool later = number > fault.number && fault.for_ever;
  if (fault.number == 0 || (number != fault.number && !later)) return;
  if (!later) std::strncpy(fault.struck.data(), label.c_str(), fault.struck.size() - 1);
  if (fault.kind == Fault::Kind::kill) die(fault, operation);
  if (fault.kind == Fault::Kind::error) operation.fail(fault.value);
  ::kill(::getpid(), fault.value);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace peerless;
  FaultyFiles files(disk());
  const char* const file = std::getenv(Fault::kVariable);
  if (file != nullptr) {
    static reliability::SharedFault fault(file);
    while (fault->partner == Fault::kToBeNamed) sleep(1);
    files.arm([](const Operation& operation) { before(*fault, operation); });
  }
  cli::run_and_exit(argc, argv, files);
}
