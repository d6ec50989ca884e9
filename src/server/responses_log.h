#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "server/responses_writer.h"

namespace gossamer::server {

/// What happened to an answer, as text: enough for a ResponsesWriter to write the same events again. Lines of JSON,
/// some 20 bytes beside the text of each event.
class ResponsesLog {
 public:
  void add(const AnswerEvent& event);
  void end(const AnswerEvent& event, const ResponsesEnd& end);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Gives `writer` what the log holds, begin() first. Lines that are none (a damaged file) are passed over.
void replay(std::string_view log, ResponsesWriter& writer);
/// The same without begin(): what the log has got since.
void replay_on(std::string_view log, ResponsesWriter& writer);

}  // namespace gossamer::server
