// The character map of a SentencePiece normaliser, which the library follows without looking where it leads: a map made
// for that has it read any memory. So it is walked once before.
//
// Layout   u32 size of the trie | trie | texts, each ended by a NUL. The trie is a double array of darts-clone: u32
//          units with a label, an offset to the block of the children, and a flag. The child by byte c of the unit at p
//          lies at p ^ offset ^ c and has the label c; of a unit with the flag, p ^ offset holds where its text begins.
// Source   https://github.com/s-yata/darts-clone, SentencePiece's Normalizer::NormalizePrefix
#pragma once

#include <string_view>

namespace peerless {

// Whether no text leads outside of the map. An empty one maps nothing.
bool is_safe_character_map(std::string_view map);

}  // namespace peerless
