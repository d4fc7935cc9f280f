// The program, on a disk that ends it where its test says (fault.h).
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "peerless/cli/run.h"
#include "tests/reliability/trainer/fault.h"

int main(int argc, char** argv) {
  using namespace peerless;
  FaultyFiles files(disk());
  const char* const file = std::getenv(reliability::Fault::kVariable);
  if (file != nullptr) {
    static reliability::SharedFault fault(file);
    while (fault->partner == reliability::Fault::kToBeNamed) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    files.arm([](const Operation& operation) {
      const auto sleep = [](int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
      if (operation.path.extension() == ".tok") {
        while (fault->hold_data) sleep(1);
        return;  // reading data is no part of saving or loading
      }
      const int number = ++fault->operations;
      const auto label = reliability::label(operation);
      if (label == "sync part") sleep(fault->delay_sync_ms);
      const auto strike = [&] { std::strncpy(fault->struck.data(), label.c_str(), fault->struck.size() - 1); };
      if (number == fault->fail_at) strike();
      if (number == fault->fail_at || (fault->fail_at > 0 && number > fault->fail_at && fault->for_ever))
        operation.fail(fault->error);
      if (number != fault->kill_at) return;
      strike();
      if (operation.half && number % 2 == 0) operation.half();
      if (const pid_t partner = fault->partner; partner != 0) ::kill(partner, SIGKILL);
      ::kill(::getpid(), SIGKILL);
      ::pause();
    });
  }
  cli::run_and_exit(argc, argv, files);
}
