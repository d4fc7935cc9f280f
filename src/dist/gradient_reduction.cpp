#include "peerless/dist/gradient_reduction.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <bit>

#include "peerless/dist/collectives.h"
#include "peerless/dist/shard_copies.h"
#include "peerless/params/huge_pages.h"
#include "src/dist/side_stream.h"
#include "src/dist/worker.h"

namespace peerless {
namespace {

struct Hook final : torch::autograd::PostAccumulateGradHook {
  explicit Hook(std::function<void()> call_) : call(std::move(call_)) {}
  void operator()(const torch::autograd::Variable& /*parameter*/) override { call(); }
  std::function<void()> call;
};

// Sums of 2^level micro-batches that wait for their right neighbour. Empty: tables hold no row, dense is not read.
struct Level {
  at::Tensor dense;
  std::vector<RowGrad> tables;
};

}  // namespace

class GradientReduction::Impl {
 public:
  Impl(const Gradients& gradients, Communicator& communicator, SumOrder order, std::vector<Shares> owners);
  ~Impl();

  void run(std::int64_t micro_batches, const std::function<void()>& backward);
  const std::vector<RowReduction>& tables() const { return tables_; }

 private:
  struct Bucket {
    std::size_t first, last;     // the gradients' places [first, last), all of equally many ways
    std::int64_t waits_for = 0;  // gradients of them, in this backward
  };
  void make_buckets();
  bool backward_exchanges() const;
  void arrived(Bucket& bucket, std::size_t place);
  void launch_ready();
  void reduce(const Bucket& bucket);
  void add_levels(std::int64_t begin, std::int64_t end);
  void keep(std::int64_t micro_batch);
  void finish_tables();
  Level& level(std::size_t number);

  const Gradients& gradients_;
  Communicator& communicator_;
  ShardCopies copies_;
  const SumOrder order_;
  const std::vector<Shares> owners_;
  const bool overlaps_;
  std::vector<Bucket> buckets_;
  std::size_t launched_ = 0;       // of them, from the last on
  std::vector<bool> has_arrived_;  // of each place
  bool last_ = false;              // the step's last backward runs
  std::int64_t num_levels_ = 0;    // that are full when it does
  std::vector<Level> levels_;
  std::vector<RowReduction> tables_;
  SideStream side_;
  std::unique_ptr<Worker> worker_;
};

GradientReduction::Impl::Impl(const Gradients& gradients, Communicator& communicator, SumOrder order,
                              std::vector<Shares> owners)
    : gradients_(gradients),
      communicator_(communicator),
      copies_(communicator),
      order_(order),
      owners_(std::move(owners)),
      overlaps_(gradients.dense().is_cpu() || !backward_exchanges()),
      side_(gradients.dense().device()) {
  if (communicator.world_size() == 1) return;
  for (const auto& [rows, ways] : gradients.tables()) tables_.emplace_back(rows, copies_.of(ways), communicator);
  make_buckets();
  worker_ = std::make_unique<Worker>();
}

GradientReduction::Impl::~Impl() {
  if (!worker_) return;
  worker_.reset();
  for (const auto& place : gradients_.places())
    torch::autograd::impl::set_post_acc_grad_hooks(place.parameter, nullptr);
}

void GradientReduction::Impl::make_buckets() {
  const auto& places = gradients_.places();
  const std::int64_t bytes = gradients_.dense().is_cpu() ? std::int64_t{1} << 20 : std::int64_t{32} << 20;
  const std::int64_t size = bytes / gradients_.dense().element_size();
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto is_full = [&](const Bucket& bucket) {
      const auto& first = places[bucket.first];
      return places[i].begin - first.begin >= size || places[i].ways != first.ways;
    };
    if (buckets_.empty() || is_full(buckets_.back())) buckets_.push_back({i, i});
    buckets_.back().last = i + 1;
    copies_.of(places[i].ways);  // made here, as the worker only reads
  }
  for (auto& bucket : buckets_)
    for (std::size_t i = bucket.first; i < bucket.last; ++i)
      torch::autograd::impl::set_post_acc_grad_hooks(
          places[i].parameter, std::make_unique<Hook>([this, &bucket, i] { arrived(bucket, i); }));
}

void GradientReduction::Impl::run(std::int64_t micro_batches, const std::function<void()>& backward) {
  TORCH_CHECK(order_ == SumOrder::sequence || std::has_single_bit(static_cast<std::uint64_t>(micro_batches)),
              micro_batches, " micro-batches are no whole tree");
  for (std::int64_t i = 0; i < micro_batches - 1; ++i) {
    backward();
    if (order_ == SumOrder::tree) keep(i);
  }
  launched_ = 0;
  has_arrived_.assign(gradients_.places().size(), false);
  for (auto& bucket : buckets_) bucket.waits_for = static_cast<std::int64_t>(bucket.last - bucket.first);
  num_levels_ = order_ == SumOrder::tree ? std::countr_one(static_cast<std::uint64_t>(micro_batches - 1)) : 0;
  last_ = true;
  backward();
  last_ = false;
  if (!worker_) {
    add_levels(0, gradients_.dense().numel());
  } else {
    for (auto& bucket : buckets_) bucket.waits_for = 0;  // what had no part in the loss has no gradient to wait for
    launch_ready();
    worker_->finish();
    side_.join();
  }
  finish_tables();
}

bool GradientReduction::Impl::backward_exchanges() const {
  const auto is_sharded = [](const auto& part) { return part.ways > 1; };
  return std::ranges::any_of(gradients_.places(), is_sharded) || std::ranges::any_of(gradients_.tables(), is_sharded);
}

void GradientReduction::Impl::arrived(Bucket& bucket, std::size_t place) {
  if (!last_) return;
  TORCH_CHECK(!has_arrived_[place], "a parameter got its gradient a second time in one backward");
  has_arrived_[place] = true;
  --bucket.waits_for;
  if (overlaps_) launch_ready();
}

void GradientReduction::Impl::launch_ready() {
  for (; launched_ < buckets_.size(); ++launched_) {
    const Bucket& bucket = buckets_[buckets_.size() - 1 - launched_];
    if (bucket.waits_for > 0) return;
    worker_->add([this, &bucket, mark = side_.mark()] { side_.run_after(mark, [&] { reduce(bucket); }); });
  }
}

void GradientReduction::Impl::reduce(const Bucket& bucket) {
  const torch::NoGradGuard no_grad;
  const auto& places = gradients_.places();
  const std::int64_t begin = places[bucket.first].begin, end = places[bucket.last - 1].end;
  add_levels(begin, end);
  Communicator& copies = copies_.of(places[bucket.first].ways);
  if (owners_.empty()) return peerless::sum(copies, {gradients_.dense().slice(0, begin, end)});
  std::vector<SharedTensor> shared;
  for (std::size_t i = bucket.first; i < bucket.last; ++i)
    shared.push_back({gradients_.dense().slice(0, places[i].begin, places[i].end), owners_[i]});
  reduce_scatter(copies, shared);
}

// To the dense gradients [begin, end): the sums that were waiting for the last micro-batch.
void GradientReduction::Impl::add_levels(std::int64_t begin, std::int64_t end) {
  const torch::NoGradGuard no_grad;
  for (std::int64_t l = 0; l < num_levels_; ++l)
    gradients_.dense().slice(0, begin, end).add_(levels_[static_cast<std::size_t>(l)].dense.slice(0, begin, end));
}

// Micro-batch `micro_batch` is in the gradients: adds the sums that were waiting for it, and keeps the result.
void GradientReduction::Impl::keep(std::int64_t micro_batch) {
  const torch::NoGradGuard no_grad;
  const auto full = static_cast<std::size_t>(std::countr_one(static_cast<std::uint64_t>(micro_batch)));
  Level& target = level(full);
  for (std::size_t l = 0; l < full; ++l) gradients_.dense().add_(levels_[l].dense);
  target.dense.copy_(gradients_.dense());
  gradients_.dense().zero_();
  for (std::size_t t = 0; t < gradients_.tables().size(); ++t) {
    RowGrad& rows = *gradients_.tables()[t].rows;
    for (std::size_t l = 0; l < full; ++l) {
      rows.add(levels_[l].tables[t]);
      levels_[l].tables[t].clear();
    }
    rows.swap(target.tables[t]);
  }
}

void GradientReduction::Impl::finish_tables() {
  const torch::NoGradGuard no_grad;
  for (std::size_t t = 0; t < gradients_.tables().size(); ++t) {
    RowGrad& rows = *gradients_.tables()[t].rows;
    for (std::int64_t l = 0; l < num_levels_; ++l) {
      RowGrad& waiting = levels_[static_cast<std::size_t>(l)].tables[t];
      rows.add(waiting);
      waiting.clear();
    }
    if (tables_.empty()) continue;
    tables_[t].reduce();
    if (owners_.empty()) tables_[t].gather_owned();
  }
}

Level& GradientReduction::Impl::level(std::size_t number) {
  while (levels_.size() <= number) {
    Level level{huge_zeros(gradients_.dense().sizes(), gradients_.dense().options()), {}};
    for (const auto& table : gradients_.tables()) {
      const auto& values = table.rows->buffer();
      level.tables.emplace_back(values.size(0), values.size(1), values.options());
    }
    levels_.push_back(std::move(level));
  }
  return levels_[number];
}

GradientReduction::GradientReduction(const Gradients& gradients, Communicator& communicator, SumOrder order,
                                     std::vector<Shares> owners)
    : impl_(std::make_unique<Impl>(gradients, communicator, order, std::move(owners))) {}

GradientReduction::~GradientReduction() = default;

void GradientReduction::run(std::int64_t micro_batches, const std::function<void()>& backward) {
  impl_->run(micro_batches, backward);
}

const std::vector<RowReduction>& GradientReduction::tables() const { return impl_->tables(); }

}  // namespace peerless
