#pragma once

#include <string_view>
#include <vector>

#include "engine/precision_loss.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::cli {

/// The texts of a file whose tokens a model is to predict. `<|endoftext|>` stands between two texts (a line break right
/// behind it is layout), and names of special tokens in them become those tokens. Of a conversation in harmony, what
/// the assistant writes after the last user message is scored: each time from behind `<|start|>assistant` to the token
/// that ends the message. What others say is nothing that a chat model was taught to predict, and its own earlier
/// answers stand there without their analysis. Of any other text everything is scored.
std::vector<ScoredTokens> scored_texts(std::string_view file, const Tokenizer& tokenizer);

}  // namespace gossamer::cli
