// Crashes the checkpoint room, as often as asked. Without --count, every case is tried once.
#include "tests/reliability/campaign_main.h"

int main(int argc, char** argv) {
  namespace reliability = peerless::reliability;
  const reliability::Campaigns campaigns{{"kill", reliability::kill},
                                         {"powerloss", reliability::power_loss},
                                         {"io", reliability::io_errors},
                                         {"flips", reliability::flips}};
  return reliability::run_campaign(campaigns, {argv + 1, argv + argc});
}
