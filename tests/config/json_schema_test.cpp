#include "peerless/config/json_schema.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "peerless/config/config.h"
#include "tests/config/example.h"

namespace peerless::config {
namespace {

using nlohmann::json;

class JsonSchema : public testing::Test {
 protected:
  static json at(const char* pointer) {
    return json::parse(schema<example::RunConfig>("a run")).at(json::json_pointer(pointer));
  }
};

TEST_F(JsonSchema, SaysItsDraftAndRefusesUnknownKeys) {
  EXPECT_EQ(at("/$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(at("/title"), "a run");
  EXPECT_EQ(at("/additionalProperties"), false);
  EXPECT_EQ(at("/properties/model/additionalProperties"), false);
}

TEST_F(JsonSchema, CarriesTypeBoundsDefaultAndMeaning) {
  EXPECT_EQ(at("/properties/optim/properties/lr"),
            json::parse(
                R"({"type": "number", "exclusiveMinimum": 0, "default": 0.001, "description": "peak learning rate"})"));
  EXPECT_EQ(at("/properties/model/properties/n_layers"),
            json::parse(R"({"type": "integer", "minimum": 1, "default": 4, "description": "number of blocks"})"));
  EXPECT_EQ(at("/properties/name"),
            json::parse(R"({"type": "string", "minLength": 1, "default": "run", "description": "name of the run"})"));
}

TEST_F(JsonSchema, BoundsTheElementsOfAList) {
  EXPECT_EQ(at("/properties/optim/properties/betas"), json::parse(R"({
    "type": "array", "items": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "default": [0.9, 0.95], "description": "decay of the two moments"})"));
}

TEST_F(JsonSchema, AnOptionalMayBeNull) {
  EXPECT_EQ(at("/properties/model/properties/softcap/anyOf/1"), json::parse(R"({"type": "null"})"));
}

TEST_F(JsonSchema, AVariantIsOneOfItsKinds) {
  EXPECT_EQ(at("/properties/model/properties/ffw/oneOf/0/properties/kind"), json::parse(R"({"const": "dense"})"));
  EXPECT_EQ(at("/properties/model/properties/ffw/oneOf/1/required"), json::parse(R"(["kind"])"));
  EXPECT_EQ(at("/properties/model/properties/ffw/oneOf/1/properties/query_norm/enum"),
            json::parse(R"(["none", "head", "full"])"));
}

TEST_F(JsonSchema, RequiresWhatHasNoLegalDefault) {
  EXPECT_EQ(at("/properties/model/properties/layers/items/required"), json::parse(R"(["at"])"));
  EXPECT_EQ(at("/properties/model/properties/layers/items/properties/at"), json::parse(R"({
    "type": "array", "items": {"type": ["integer", "string"], "pattern": "^[0-9]+(-[0-9]+)?$", "minimum": 0},
    "minItems": 1, "description": "the layers, from 0"})"));
}

}  // namespace
}  // namespace peerless::config
