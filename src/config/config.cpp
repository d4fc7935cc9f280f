#include "peerless/config/config.h"

namespace peerless::config {

Tree read_tree(const Files& files, const std::filesystem::path& file) {
  const auto input = files.open(file);
  if (input->size() > kMaxBytes) {
    throw Error(ExitCode::config, where(file.string(), {1, 1}, ""), "a config must not exceed ", kMaxBytes,
                " bytes, got ", input->size());
  }
  std::string text(input->size(), '\0');
  input->read(0, std::as_writable_bytes(std::span(text)));
  return parse_yaml(text, file.string());
}

}  // namespace peerless::config
