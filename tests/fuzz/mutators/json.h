// Changes of JSON after which it is JSON still. Bytes that change at random seldom leave it so: what lies behind the
// parser is hardly reached.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <string_view>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace peerless::fuzz {

using Json = nlohmann::ordered_json;
using Random = std::minstd_rand;

// One value becomes another of its kind, or a copy of any value; or a container loses, doubles or swaps what it holds.
void mutate(Json& json, Random& random);

// Invalid UTF-8 is replaced.
std::string to_text(const Json& json);

// The text in place of what `data` holds, as much of it as there is room for; its size.
std::size_t put(std::string_view text, std::span<std::uint8_t> data);

}  // namespace peerless::fuzz
