#include "peerless/dist/collectives.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstring>

#include "peerless/params/library_error.h"

namespace peerless {
namespace {

using Tensors = std::vector<at::Tensor>;

constexpr std::int64_t kPieceBytes = 8 << 20;

at::Tensor slice(const at::Tensor& flat, const Share& share) { return flat.slice(0, share.begin, share.end); }

std::int64_t piece_size(const at::Tensor& tensor) { return kPieceBytes / tensor.element_size(); }

// A stretch of a share: the `number`th of those into which it is cut so that little memory holds what comes.
Share piece_of(const Share& share, std::int64_t number, std::int64_t size) {
  return {std::min(share.end, share.begin + number * size), std::min(share.end, share.begin + (number + 1) * size)};
}

// Of the largest share.
std::int64_t num_pieces(const std::vector<SharedTensor>& tensors) {
  std::int64_t pieces = 0;
  for (const auto& [flat, shares] : tensors)
    for (const auto& share : shares)
      pieces = std::max(pieces, (share.size() + piece_size(flat) - 1) / piece_size(flat));
  return pieces;
}

// Adds up tensors of one shape by the binary tree over their positions, in place; the result is the first.
void tree_sum(const Tensors& parts) {
  for (std::size_t stride = 1; stride < parts.size(); stride *= 2)
    for (std::size_t i = 0; i + stride < parts.size(); i += 2 * stride) parts[i].add_(parts[i + stride]);
}

// reduce_scatter of the piece of that number of every share.
void reduce_scatter_piece(Communicator& communicator, const std::vector<SharedTensor>& tensors, std::int64_t number) {
  const auto rank = static_cast<std::size_t>(communicator.rank());
  const std::int64_t world = communicator.world_size();
  Messages sent, received;
  std::vector<Tensors> parts;  // of each tensor, by rank
  for (const auto& [flat, shares] : tensors) {
    const auto piece = [&, size = piece_size(flat)](std::size_t r) {
      return slice(flat, piece_of(shares[r], number, size));
    };
    const auto mine = piece(rank);
    auto& all = parts.emplace_back(at::empty({world, mine.numel()}, flat.options()).unbind(0));
    all[rank] = mine;
    for (std::size_t r = 0; r < all.size(); ++r) {
      if (r == rank) continue;
      sent.push_back({static_cast<std::int64_t>(r), piece(r)});
      received.push_back({static_cast<std::int64_t>(r), all[r]});
    }
  }
  communicator.exchange(sent, received);
  for (const auto& all : parts) {
    tree_sum(all);
    if (rank != 0) all[rank].copy_(all[0]);
  }
}

at::Tensor bytes_of(const std::string& text) {
  const auto bytes = at::empty({static_cast<std::int64_t>(text.size())}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.mutable_data_ptr(), text.data(), text.size());
  return bytes;
}

std::string text_of(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::size_t>(bytes.numel())};
}

}  // namespace

void send_to_all(Communicator& communicator, const Tensors& to, const Tensors& from) {
  Messages sent, received;
  for (std::size_t r = 0; r < to.size(); ++r) {
    const auto peer = static_cast<std::int64_t>(r);
    if (peer == communicator.rank()) continue;
    sent.push_back({peer, to[r]});
    received.push_back({peer, from[r]});
  }
  communicator.exchange(sent, received);
}

Shares equal_shares(std::int64_t n, std::int64_t world_size, std::int64_t block) {
  const std::int64_t blocks = (n + block - 1) / block;
  const auto begin = [&](std::int64_t rank) { return std::min(n, blocks * rank / world_size * block); };
  Shares shares;
  for (std::int64_t r = 0; r < world_size; ++r) shares.push_back({begin(r), begin(r + 1)});
  return shares;
}

void reduce_scatter(Communicator& communicator, const std::vector<SharedTensor>& tensors) {
  if (communicator.world_size() == 1) return;
  for (std::int64_t i = 0; i < num_pieces(tensors); ++i) reduce_scatter_piece(communicator, tensors, i);
}

// In pieces too, so that a slow network shows that it moves.
void all_gather(Communicator& communicator, const std::vector<SharedTensor>& tensors) {
  if (communicator.world_size() == 1) return;
  const auto rank = static_cast<std::size_t>(communicator.rank());
  for (std::int64_t i = 0; i < num_pieces(tensors); ++i) {
    Messages sent, received;
    for (const auto& [flat, shares] : tensors) {
      const auto piece = [&, size = piece_size(flat)](std::size_t r) {
        return slice(flat, piece_of(shares[r], i, size));
      };
      for (std::size_t r = 0; r < shares.size(); ++r) {
        if (r == rank) continue;
        sent.push_back({static_cast<std::int64_t>(r), piece(rank)});
        received.push_back({static_cast<std::int64_t>(r), piece(r)});
      }
    }
    communicator.exchange(sent, received);
  }
}

void sum(Communicator& communicator, const Tensors& tensors) {
  constexpr std::int64_t kBlock = 16;
  std::vector<SharedTensor> shared;
  for (const auto& tensor : tensors)
    shared.push_back({tensor, equal_shares(tensor.numel(), communicator.world_size(), kBlock)});
  reduce_scatter(communicator, shared);
  all_gather(communicator, shared);
}

bool any(Communicator& communicator, bool here) {
  const auto all = gather(communicator, std::int64_t{here});
  return std::any_of(all.begin(), all.end(), [](auto there) { return there != 0; });
}

std::vector<std::int64_t> gather(Communicator& communicator, std::int64_t here) {
  return trade(communicator, std::vector(static_cast<std::size_t>(communicator.world_size()), here));
}

std::vector<std::int64_t> trade(Communicator& communicator, const std::vector<std::int64_t>& to) {
  const auto here = at::tensor(to, at::kLong), from = here.clone();
  send_to_all(communicator, here.split(1), from.split(1));
  return {from.const_data_ptr<std::int64_t>(), from.const_data_ptr<std::int64_t>() + from.numel()};
}

std::vector<std::string> gather(Communicator& communicator, const std::string& here) {
  Tensors texts;
  for (const auto size : gather(communicator, static_cast<std::int64_t>(here.size())))
    texts.push_back(at::empty({size}, at::kByte));
  const auto rank = static_cast<std::size_t>(communicator.rank());
  texts[rank] = bytes_of(here);
  send_to_all(communicator, Tensors(texts.size(), texts[rank]), texts);
  std::vector<std::string> all;
  for (const auto& text : texts) all.push_back(text_of(text));
  return all;
}

std::vector<std::string> Communicator::collect(const std::string& here) {
  const auto sizes = gather(*this, static_cast<std::int64_t>(here.size()));
  if (rank() != 0) {
    exchange({{0, bytes_of(here)}}, {});
    return {};
  }
  Messages received;
  for (std::int64_t r = 1; r < world_size(); ++r)
    received.push_back({r, at::empty({sizes[static_cast<std::size_t>(r)]}, at::kByte)});
  exchange({}, received);
  std::vector<std::string> all{here};
  for (const auto& message : received) all.push_back(text_of(message.tensor));
  return all;
}

std::string Communicator::announce(const std::string& here) {
  const auto size = gather(*this, static_cast<std::int64_t>(here.size())).front();
  if (rank() != 0) {
    const auto there = at::empty({size}, at::kByte);
    exchange({}, {{0, there}});
    return text_of(there);
  }
  Messages sent;
  for (std::int64_t r = 1; r < world_size(); ++r) sent.push_back({r, bytes_of(here)});
  exchange(sent, {});
  return here;
}

void together(Communicator& communicator, const std::function<void()>& work) {
  together(static_cast<Peers&>(communicator), [&] {
    try {
      work();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw to_error(error);
    }
  });
}

}  // namespace peerless
