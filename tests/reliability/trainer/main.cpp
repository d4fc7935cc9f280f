// Crashes, stops and poisons the whole trainer, as often as asked.
#include "tests/reliability/campaign_main.h"
#include "tests/reliability/trainer/job.h"

int main(int argc, char** argv) {
  namespace reliability = peerless::reliability;
  const reliability::Campaigns campaigns{{"kill-trainer", reliability::kill_trainer},
                                         {"io-trainer", reliability::io_errors_trainer},
                                         {"replay", reliability::replay},
                                         {"signals", reliability::signals},
                                         {"soak", reliability::soak},
                                         {"nonfinite", reliability::non_finite}};
  return reliability::run_campaign(campaigns, {argv + 1, argv + argc});
}
