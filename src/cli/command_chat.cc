#include <memory>

#include "cli/chat.h"
#include "cli/command.h"

namespace gossamer::cli {

Command chat_command() {
  return {"chat", "Talk with a model",
          "  gossamer chat --reasoning low\n  gossamer chat gpt-oss:20b --system \"You are a pirate.\"",
          [](Options& options) {
            struct Chosen {
              ChatOptions chat;
              std::vector<std::string> model;
            };
            auto chosen = std::make_shared<Chosen>();
            options.words("[MODEL]", chosen->model, 1, "The model (default: the demo model)");
            chosen->chat.declare(options);
            return [chosen] {
              if (!chosen->model.empty()) chosen->chat.model.model = chosen->model.front();
              return chat(chosen->chat);
            };
          }};
}

}  // namespace gossamer::cli
