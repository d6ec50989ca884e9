#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sequence.h"
#include "server/responses_seal.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gossamer::server {

/// A response that has ended, as it is kept.
struct StoredResponse {
  std::string id;
  TenantId tenant = 0;
  std::string previous_id;  ///< empty: none
  std::string body;         ///< the response object
  std::string input;        ///< its input, a list of items
  std::string log;          ///< ResponsesLog, where it can be streamed again; else empty
};

/// The table of responses in SQLite. One thread at a time. Times are seconds of any clock that goes on over restarts.
class ResponsesDatabase {
 public:
  /// `path` empty: in memory. Errors: the file cannot be opened, is no database, or one of another version.
  static Result<ResponsesDatabase> open(const std::string& path);

  /// Of encrypted reasoning: made with the file, and kept in it.
  const ReasoningSeal::Key& key() const { return key_; }
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t count();

  Status begin();
  Status commit();
  void roll_back();

  Status put(const StoredResponse& response, int64_t now);
  /// Nothing: there is none of that id for that tenant. Errors: SQLite's.
  Result<std::optional<StoredResponse>> get(const std::string& id, TenantId tenant);
  /// It is in use: what has been used longest ago goes first.
  Status touch(const std::string& id, int64_t now);
  Result<bool> erase(const std::string& id, TenantId tenant);

  /// Removes what was last used before `oldest`, then, while there is more than `max_bytes`, what was used longest ago.
  Status shrink(int64_t oldest, uint64_t max_bytes);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit ResponsesDatabase(std::unique_ptr<sqlite3, Close> database) : database_(std::move(database)) {}
  Status prepare_all();
  Status load_key();
  Status load_total();
  Status execute(const char* sql);
  Result<Statement> prepare(const char* sql);
  /// One row at most; true: there is one. The statement is to be reset after it was read.
  Result<bool> step(sqlite3_stmt* statement);
  Error failure() const;

  std::unique_ptr<sqlite3, Close> database_;
  Statement insert_, select_, touch_, erase_, size_, oldest_, count_;
  ReasoningSeal::Key key_{};
  uint64_t total_bytes_ = 0;
};

}  // namespace gossamer::server
