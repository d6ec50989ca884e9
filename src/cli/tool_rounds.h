#pragma once

#include "cli/answer_printer.h"
#include "cli/assistant.h"
#include "cli/local_tools.h"

namespace gossamer::cli {

/// As Assistant::answer(), and calls of tools that run here are run: the model goes on from what they gave until it
/// says something to the user, calls a function that is the user's, or has made 32 calls (it must answer then). The
/// answer has the messages of all rounds, calls and results too; in its parts only calls are left that nobody has
/// answered; its numbers are of all rounds, the prompt's of the first. `printer` may be null.
Result<Answer> answer_with_tools(Assistant& assistant, LocalTools& tools, const Assistant::Request& request,
                                 AnswerPrinter* printer, const std::function<bool()>& go_on);

}  // namespace gossamer::cli
