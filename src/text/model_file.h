// What a SentencePiece model file says about itself, beyond what the library's interface tells: read straight from its
// protocol buffer (sentencepiece_model.proto), strictly, so that a file cut off between two fields is noticed too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace peerless {

struct ModelFile {
  // Values of the format: never change them.
  enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  enum class Algorithm { unigram = 1, bpe = 2, word = 3, character = 4 };

  struct Piece {
    std::string text;
    PieceType type = PieceType::normal;
  };

  std::vector<Piece> pieces;
  Algorithm algorithm = Algorithm::unigram;
  bool byte_fallback = false;
  std::string normalizer;
  bool maps_characters = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool denormalizes = false;
};

// Error(data) with the reason alone, without the file's name.
ModelFile parse_model_file(std::string_view bytes);

}  // namespace peerless
