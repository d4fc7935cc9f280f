// How the processes of a run find each other, and part.
//
// Rank 0 serves a coordinator (cluster/server.h) at the meeting place of the launch (cluster/meeting_place.h): with the
// secret, all prove to each other that they belong together; in its store they leave the addresses at which gloo and
// NCCL listen. On one host everything binds the loopback address; else the address that leads to rank 0's host.
//
// Losses   One that dies, falls silent, stays away from an exchange or says fail() is lost, and with it the run. All
//          hear of it: within a second of a death, else after the silence or timeout
// Errors   Error(peer): some did not come within the timeout, named by rank; an exchange with one that is lost
//          Error(preempted): stopped() while they met
//          Error(config): a host name that does not resolve, an address in use, another world size, a wrong secret, too
//          few open files
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "peerless/cluster/client.h"
#include "peerless/cluster/launch.h"
#include "peerless/cluster/server.h"
#include "peerless/dist/communicator.h"

namespace peerless {

struct JoinOptions {
  // Of which tensors can be exchanged, beside the host's. Asked for when all have met, who hear of it where that fails.
  std::function<at::Device()> device = [] { return at::Device(at::kCPU); };
  std::chrono::milliseconds timeout{600'000};              // for all to come, and later for those others wait for
  std::string secret = {};                                 // empty: none
  std::function<void(const cluster::Loss&)> on_loss = {};  // on a thread of its own; may end the process
  std::function<bool()> stopped = [] { return false; };    // asked while they meet: whether to give up
};

class World {
 public:
  // Joins the processes of a launch; one alone meets nobody.
  World(const Launch& launch, const JoinOptions& options);
  ~World();  // without leave(), the others lose this process
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Communicator& communicator() { return communicator_ ? *communicator_ : alone(); }
  // The same processes for another thread, which waits for the others however long they take. All make as many.
  std::unique_ptr<Peers> peers();

  // The end of this process, which all have agreed on, is no loss.
  void leave();
  // The others lose this process, and hear why.
  void fail(const std::string& why);

 private:
  void connect(const Launch& launch, const std::string& own_address, const JoinOptions& options);

  std::unique_ptr<cluster::Server> server_;  // of rank 0
  std::unique_ptr<cluster::Client> client_;
  std::unique_ptr<Communicator> communicator_;
  int last_peers_ = 0;
};

}  // namespace peerless
