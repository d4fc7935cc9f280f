// Where the processes of a launch meet: at which address rank 0 listens, and how the others learn of it.
//
//   HOST:PORT   what the launcher says. On one host, 127.0.0.1 whatever it says; else the address of HOST, but on rank
//               0's own host, where a name may mean a loopback address (Debian gives its own name 127.0.1.1), the one
//               at which others reach this host
//   a board     where rank 0 writes down its address: a file, or the store of torchrun's agent. It listens at a port
//               that is free. Each of its starts is named by the address and random digits, so that one who reads what
//               a start before left there, or a forger wrote, is refused and reads again
//
// Nobody listens at an address that nobody needs.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "peerless/cluster/client.h"
#include "peerless/cluster/launch.h"

namespace peerless {

// Holds one text. What comes last is read; none yet: nothing.
struct Board {
  std::function<void(const std::string& text)> write;
  std::function<std::optional<std::string>()> read;
};
Board file_board(const std::filesystem::path& file);

class MeetingPlace {
 public:
  // A launch without HOST:PORT needs a board.
  explicit MeetingPlace(const Launch& launch, std::optional<Board> board = std::nullopt);

  // Rank 0's part, at its start: a socket that listens, and its address, which others find from now on.
  // Error(config): it cannot listen there; IoError of the board.
  struct Opened {
    int listening;
    cluster::Address address;
  };
  Opened open();

  // As cluster::Client::Options::address: asked for before each attempt.
  std::optional<cluster::Address> find() const;

 private:
  std::string host() const;            // of this process, if it is rank 0
  std::string host_of_rank_0() const;  // as this process reaches it, without a board

  Launch launch_;
  std::optional<Board> board_;
};

}  // namespace peerless
