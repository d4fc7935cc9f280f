#include "peerless/dist/rendezvous.h"

#include <algorithm>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "peerless/base/error.h"
#include "peerless/base/log.h"
#include "peerless/cluster/meeting_place.h"
#include "peerless/cluster/network.h"
#include "peerless/cluster/store_peers.h"
#include "src/dist/coordinator_store.h"
#include "src/dist/process_group.h"

namespace peerless {
namespace {

constexpr std::chrono::milliseconds kLongestSilence = std::chrono::minutes(1);
constexpr std::int64_t kMostProcesses = cluster::kMaxTexts - 1;  // each has a row in a message

// A key in the store of torchrun's agent. That store knows no secret; what is read there only says where to ask.
Board agent_board(const Launch& launch) {
  const auto key = concat("peerless/", launch.attempt);
  const auto open = [launch] {
    c10d::TCPStoreOptions options;
    options.port = launch.port;
    options.timeout = std::chrono::seconds(5);
    options.waitWorkers = false;
    return c10::make_intrusive<c10d::TCPStore>(launch.host, options);
  };
  const auto ask = [launch](const auto& question) {
    try {
      return question();
    } catch (const std::exception& error) {
      throw Error(ExitCode::peer, "torchrun's agent does not answer at ", printable(launch.host), ":", launch.port);
    }
  };
  const auto write = [=](const std::string& text) { ask([&] { open()->set(key, {text.begin(), text.end()}); }); };
  const auto read = [=] {
    return ask([&]() -> std::optional<std::string> {
      const auto store = open();
      if (!store->check({key})) return std::nullopt;
      const auto bytes = store->get(key);
      return std::string(bytes.begin(), bytes.end());
    });
  };
  return {write, read};
}

std::optional<Board> board_of(const Launch& launch) {
  if (!launch.file.empty()) return file_board(launch.file);
  if (launch.store_is_served) return agent_board(launch);
  return std::nullopt;
}

// Where gloo listens: the address that the others use to reach this process.
std::string own_address(const Launch& launch, const cluster::Address& rank_0) {
  return launch.rank == 0 ? rank_0.host : local_address_towards(rank_0.host);
}

}  // namespace

World::World(const Launch& launch, const JoinOptions& options) {
  if (launch.world_size == 1) return;
  if (launch.world_size > kMostProcesses)
    throw Error(ExitCode::config, launch.world_size, " processes are too many: at most ", kMostProcesses,
                " can train together");
  provide_descriptors(launch.world_size);
  const auto silence = std::min(options.timeout, kLongestSilence);
  MeetingPlace place(launch, board_of(launch));
  cluster::Address rank_0;
  if (launch.rank == 0) {
    auto opened = place.open();
    rank_0 = opened.address;
    if (!launch.one_host()) log::info("coordinator listens at ", rank_0.host, ":", rank_0.port);
    server_ = std::make_unique<cluster::Server>(opened.listening,
                                                cluster::Server::Options{.world_size = launch.world_size,
                                                                         .attempt = launch.attempt + rank_0.start,
                                                                         .secret = options.secret,
                                                                         .silence = silence,
                                                                         .patience = options.timeout});
  }
  const auto find = [&]() -> std::optional<cluster::Address> {
    if (launch.rank == 0) return rank_0;
    const auto found = place.find();
    if (found) rank_0 = *found;
    return found;
  };
  client_ = std::make_unique<cluster::Client>(cluster::Client::Options{.rank = launch.rank,
                                                                       .world_size = launch.world_size,
                                                                       .attempt = launch.attempt,
                                                                       .secret = options.secret,
                                                                       .address = find,
                                                                       .on_loss = options.on_loss,
                                                                       .stopped = options.stopped,
                                                                       .timeout = options.timeout,
                                                                       .silence = silence});
  try {
    connect(launch, own_address(launch, rank_0), options);
  } catch (const Error& error) {
    fail(concat(name(error.code()), ": ", error.what()));
    throw;
  } catch (const std::exception& error) {
    fail(error.what());
    throw;
  }
}

void World::connect(const Launch& launch, const std::string& own_address, const JoinOptions& options) {
  client_->set_activity("connecting to the others");
  const Store store = c10::make_intrusive<CoordinatorStore>(*client_, options.timeout);
  communicator_ = process_group(store, *client_, own_address, launch, options);
}

World::~World() = default;

std::unique_ptr<Peers> World::peers() {
  if (!client_) return std::make_unique<NoPeers>();
  return std::make_unique<cluster::StorePeers>(*client_, concat("peers", ++last_peers_), communicator_->rank(),
                                               communicator_->world_size());
}

void World::leave() {
  if (communicator_) communicator_->close();
  if (client_) client_->goodbye();
  server_.reset();
}

void World::fail(const std::string& why) {
  if (client_) client_->fail(why);
}

}  // namespace peerless
