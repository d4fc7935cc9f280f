// The optimizer's settings.
#pragma once

#include <variant>
#include <vector>

#include "peerless/config/field.h"
#include "peerless/ops/row_adamw.h"

namespace peerless {

constexpr std::array<std::string_view, 2> enum_names(TableUpdate) { return {"touched_rows", "dense"}; }
constexpr std::string_view why_not(TableUpdate, std::string_view word) {
  return word == "muon" ? "Muon is for hidden matrices, and the rows of a table are none" : "";
}

// Tables of experts or values: a row sees few of a step's tokens, so it wants a higher rate, no decay and its own norm.
struct TablesConfig {
  double lr_multiplier = 2;
  double weight_decay = 0;
  double grad_clip = 1;
  TableUpdate update = TableUpdate::touched_rows;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("lr_multiplier", c.lr_multiplier, Above{0}, "learning rate of tables, as a multiple of optim.lr",
          Resume::with_override);
    visit("weight_decay", c.weight_decay, AtLeast{0}, "decoupled decay of the rows that are updated",
          Resume::with_override);
    visit("grad_clip", c.grad_clip, AtLeast{0}, "largest norm of all tables' gradient together; 0: no clipping",
          Resume::with_override);
    visit("update", c.update, Any{},
          "touched_rows: rows not retrieved in a step keep weight and moments (torch.optim.SparseAdam); dense: AdamW "
          "on all rows",
          Resume::with_override);
  }
  bool operator==(const TablesConfig&) const = default;
};

// AdamW of all parameters; and what every optimizer has.
struct AdamWConfig {
  static constexpr std::string_view kind = "adamw";
  double lr = 1e-3;
  std::vector<double> betas{0.9, 0.95};
  double eps = 1e-8;
  double weight_decay = 0.1;
  double grad_clip = 1;
  TablesConfig tables;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("lr", c.lr, Above{0}, "peak learning rate", Resume::with_override);
    visit("betas", c.betas, AtLeast{0} && Below{1}, "decay of AdamW's first and second moments: two numbers",
          Resume::with_override);
    visit("eps", c.eps, Above{0}, "added to the root of AdamW's second moment", Resume::with_override);
    visit("weight_decay", c.weight_decay, AtLeast{0},
          "decoupled decay of matrices; vectors, embedding, head and routers have none", Resume::with_override);
    visit("grad_clip", c.grad_clip, AtLeast{0}, "largest norm of the gradient without tables; 0: no clipping",
          Resume::with_override);
    visit("tables", c.tables, Any{}, "tables of experts and values", Resume::with_override);
  }
  void check() const {
    if (betas.size() != 2) throw Error(ExitCode::config, "betas must be two numbers, got ", betas.size());
  }
  bool operator==(const AdamWConfig&) const = default;
};

// Muon of hidden matrices, with AdamW's lr and weight_decay; AdamW of all others.
struct MuonConfig : AdamWConfig {
  static constexpr std::string_view kind = "muon";
  double momentum = 0.95;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    AdamWConfig::fields(c, visit);
    visit("momentum", c.momentum, AtLeast{0} && Below{1}, "decay of the mean gradient that Muon orthogonalizes",
          Resume::with_override);
  }
  bool operator==(const MuonConfig&) const = default;
};

using OptimConfig = std::variant<AdamWConfig, MuonConfig>;

// What all kinds have: the peak rate, the settings of tables.
inline const AdamWConfig& shared_settings(const OptimConfig& config) {
  return std::visit([](const AdamWConfig& shared) -> const AdamWConfig& { return shared; }, config);
}

}  // namespace peerless
