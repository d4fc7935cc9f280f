// Manifests that differ in a value; the target adds the last line, with its digest.
#include "tests/fuzz/mutators/json.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  using namespace peerless::fuzz;
  constexpr std::string_view kEnd = ",\n";  // before the last line, where JSON has a brace
  Random random(seed);
  std::string text(reinterpret_cast<const char*>(data), size);
  if (text.ends_with(kEnd)) text.replace(text.size() - kEnd.size(), kEnd.size(), "}");
  auto json = Json::parse(text, nullptr, false);
  if (!json.is_object() || random() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  mutate(json, random);
  text = to_text(json);
  if (json.is_object()) text.replace(text.size() - 1, 1, kEnd);
  return put(text, {data, max_size});
}
