#include <torch/version.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "peerless/base/text.h"
#include "peerless/base/version.h"
#include "peerless/cli/verbs.h"
#include "peerless/ops/kernels.h"
#include "src/cli/json.h"

namespace peerless::cli {
namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

Json examine() {
  Json found{{"program", program_version()},
             {"libtorch", TORCH_VERSION},
             {"cpu", processor()},
             {"threads", std::thread::hardware_concurrency()},
             {"kernels", kernel_generation()}};
  const auto cuda = cuda_build();
  if (!cuda) {
    found["cuda"] = nullptr;
    return found;
  }
  found["cuda"] = {{"cuda", cuda->cuda},
                   {"cudnn", cuda->cudnn},
                   {"nccl", cuda->nccl},
                   {"gpus", cuda->gpus},
                   {"libtorch_operators", cuda->libtorch_operators},
                   {"own_operators", cuda->own_operators}};
  return found;
}

void print_table(const Json& found) {
  const auto row = [](const std::string& name, const auto& value) {
    std::cout << name << std::string(12 - name.size(), ' ') << value << "\n";
  };
  row("program", found["program"].get<std::string>());
  row("LibTorch", found["libtorch"].get<std::string>());
  row("CPU", concat(found["cpu"].get<std::string>(), ", ", found["threads"].get<int>(), " threads, kernels for ",
                    found["kernels"].get<std::string>()));
  const Json& cuda = found["cuda"];
  if (cuda.is_null()) return row("CUDA", "not built in; the cuda preset of CMake does that");
  const auto gpus = cuda["gpus"].get<int>();
  row("CUDA",
      concat(cuda["cuda"].get<std::string>(), gpus == 0 ? ", no GPU that can be used" : concat(", ", gpus, " GPUs")));
  row("cuDNN", cuda["cudnn"].get<std::string>());
  row("NCCL", cuda["nccl"].get<std::string>());
  row("operators",
      concat(cuda["libtorch_operators"].get<int>(), " of LibTorch with a CUDA kernel; with one of peerless: ",
             join(cuda["own_operators"].get<std::vector<std::string>>(), ", ")));
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("doctor", "say what this program was built with, and what it finds on this machine");
  verb->add_flag("--json", *json, "one JSON object on one line");
  verb->callback([json] {
    const Json found = examine();
    *json ? print(found) : print_table(found);
  });
}

}  // namespace peerless::cli
