#pragma once

#include <cstdint>
#include <vector>

#include "server/chat_prompt.h"

namespace gossamer::server {

// What "truncation": "auto" may leave out: the oldest turns of a conversation, from one turn of the user to the next.
// Instructions stay, and so does everything from the user's last turn on.

/// Leaves out `count` of the user's turns and what came of them. False: there is but one.
bool drop_oldest(std::vector<ChatTurn>& turns, size_t count);

/// Leaves out, unseen, what is far more text than fits so many tokens, so that nobody has to count the tokens of it.
void drop_hopeless(std::vector<ChatTurn>& turns, uint32_t max_tokens);

}  // namespace gossamer::server
