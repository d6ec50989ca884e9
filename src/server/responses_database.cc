#include "server/responses_database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace gossamer::server {
namespace {

constexpr int kVersion = 1;
constexpr uint64_t kRowBytes = 256;  // what a row takes beside its texts, about

constexpr char kSchema[] =
    "CREATE TABLE IF NOT EXISTS responses ("
    "  id TEXT PRIMARY KEY NOT NULL, tenant INTEGER NOT NULL, used INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    "  previous TEXT NOT NULL, body TEXT NOT NULL, input TEXT NOT NULL, log TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS responses_used ON responses (used);"
    "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL);";

/// Resets a statement when it has been read.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  /// `text` must live until the statement is done.
  Use& text(int place, const std::string& text) {
    sqlite3_bind_text64(statement_, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Use& number(int place, int64_t number) {
    sqlite3_bind_int64(statement_, place, number);
    return *this;
  }
  std::string text_at(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text ? std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))) : std::string();
  }
  int64_t number_at(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3_stmt* statement_;
};

uint64_t size_of(const StoredResponse& response) {
  return kRowBytes + response.body.size() + response.input.size() + response.log.size();
}

/// The file, for its owner alone, before SQLite would make it for everybody.
Status make_private_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return make_error(ErrorCode::kIo, "cannot open {} for the responses: {}", path, std::strerror(errno));
  ::close(file);
  return {};
}

}  // namespace

void ResponsesDatabase::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}
void ResponsesDatabase::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Error ResponsesDatabase::failure() const {
  return make_error(ErrorCode::kIo, "the store of responses: {}", sqlite3_errmsg(database_.get()));
}

Status ResponsesDatabase::execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure();
  return {};
}

Result<ResponsesDatabase::Statement> ResponsesDatabase::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    return failure();
  return Statement(statement);
}

Result<bool> ResponsesDatabase::step(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure();
}

Result<ResponsesDatabase> ResponsesDatabase::open(const std::string& path) {
  if (!path.empty()) GOS_TRY_STATUS(make_private_file(path));
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.empty() ? ":memory:" : path.c_str(), &opened, flags, nullptr);
  ResponsesDatabase database{std::unique_ptr<sqlite3, Close>(opened)};
  if (code != SQLITE_OK) return database.failure();
  // What is erased is overwritten: people erase because it should be gone.
  GOS_TRY_STATUS(database.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA secure_delete = ON;"));
  if (!path.empty()) {
    sqlite3_busy_timeout(opened, 2000);
    GOS_TRY_STATUS(database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"));
  }
  {
    GOS_TRY(const Statement version, database.prepare("PRAGMA user_version"));
    GOS_TRY(const bool found, database.step(version.get()));
    const int64_t number = found ? sqlite3_column_int64(version.get(), 0) : 0;
    if (number != 0 && number != kVersion)
      return make_error(ErrorCode::kUnsupported,
                        "{} holds responses of version {}, this program reads version {}: name another file", path,
                        number, kVersion);
  }
  GOS_TRY_STATUS(database.execute(kSchema));
  GOS_TRY_STATUS(database.execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str()));
  GOS_TRY_STATUS(database.prepare_all());
  GOS_TRY_STATUS(database.load_key());
  GOS_TRY_STATUS(database.load_total());
  return database;
}

Status ResponsesDatabase::prepare_all() {
  GOS_TRY(insert_, prepare("INSERT INTO responses VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  GOS_TRY(select_, prepare("SELECT previous, body, input, log FROM responses WHERE id = ?1 AND tenant = ?2"));
  GOS_TRY(touch_, prepare("UPDATE responses SET used = ?2 WHERE id = ?1"));
  GOS_TRY(erase_, prepare("DELETE FROM responses WHERE id = ?1"));
  GOS_TRY(size_, prepare("SELECT bytes FROM responses WHERE id = ?1 AND tenant = ?2"));
  GOS_TRY(oldest_, prepare("SELECT id, tenant, used FROM responses ORDER BY used, rowid LIMIT 1"));
  GOS_TRY(count_, prepare("SELECT count(*), coalesce(sum(bytes), 0) FROM responses"));
  return {};
}

Status ResponsesDatabase::load_key() {
  GOS_TRY(const Statement select, prepare("SELECT value FROM secrets WHERE name = 'seal'"));
  GOS_TRY(const bool found, step(select.get()));
  if (found && sqlite3_column_bytes(select.get(), 0) == static_cast<int>(key_.size())) {
    std::memcpy(key_.data(), sqlite3_column_blob(select.get(), 0), key_.size());
    return {};
  }
  key_ = ReasoningSeal::random_key();
  GOS_TRY(const Statement insert, prepare("INSERT OR REPLACE INTO secrets VALUES ('seal', ?1)"));
  sqlite3_bind_blob(insert.get(), 1, key_.data(), static_cast<int>(key_.size()), SQLITE_STATIC);
  const Result<bool> done = step(insert.get());
  return done.ok() ? Status() : Status(done.error());
}

Status ResponsesDatabase::load_total() {
  const Use use(count_.get());
  GOS_TRY(const bool found, step(count_.get()));
  total_bytes_ = found ? static_cast<uint64_t>(use.number_at(1)) : 0;
  return {};
}

uint64_t ResponsesDatabase::count() {
  const Use use(count_.get());
  const Result<bool> found = step(count_.get());
  return found.ok() && *found ? static_cast<uint64_t>(use.number_at(0)) : 0;
}

Status ResponsesDatabase::begin() {
  return execute("BEGIN IMMEDIATE");
}
Status ResponsesDatabase::commit() {
  return execute("COMMIT");
}

void ResponsesDatabase::roll_back() {
  (void)execute("ROLLBACK");
  (void)load_total();
}

Status ResponsesDatabase::put(const StoredResponse& response, int64_t now) {
  const uint64_t bytes = size_of(response);
  Use use(insert_.get());
  use.text(1, response.id).number(2, static_cast<int64_t>(response.tenant)).number(3, now);
  use.number(4, static_cast<int64_t>(bytes)).text(5, response.previous_id);
  use.text(6, response.body).text(7, response.input).text(8, response.log);
  const Result<bool> done = step(insert_.get());
  if (!done.ok()) return done.error();
  total_bytes_ += bytes;
  return {};
}

Result<std::optional<StoredResponse>> ResponsesDatabase::get(const std::string& id, TenantId tenant) {
  Use use(select_.get());
  use.text(1, id).number(2, static_cast<int64_t>(tenant));
  GOS_TRY(const bool found, step(select_.get()));
  if (!found) return std::optional<StoredResponse>();
  return std::optional(StoredResponse{id, tenant, use.text_at(0), use.text_at(1), use.text_at(2), use.text_at(3)});
}

Status ResponsesDatabase::touch(const std::string& id, int64_t now) {
  Use use(touch_.get());
  use.text(1, id).number(2, now);
  const Result<bool> done = step(touch_.get());
  return done.ok() ? Status() : Status(done.error());
}

Result<bool> ResponsesDatabase::erase(const std::string& id, TenantId tenant) {
  uint64_t bytes = 0;
  {
    Use use(size_.get());
    use.text(1, id).number(2, static_cast<int64_t>(tenant));
    GOS_TRY(const bool found, step(size_.get()));
    if (!found) return false;
    bytes = static_cast<uint64_t>(use.number_at(0));
  }
  Use use(erase_.get());
  use.text(1, id);
  GOS_TRY([[maybe_unused]] const bool row, step(erase_.get()));
  total_bytes_ -= std::min(total_bytes_, bytes);
  return true;
}

Status ResponsesDatabase::shrink(int64_t oldest, uint64_t max_bytes) {
  bool erased = false;
  for (;;) {
    std::string id;
    TenantId tenant = 0;
    {
      const Use use(oldest_.get());
      GOS_TRY(const bool found, step(oldest_.get()));
      if (!found || (use.number_at(2) >= oldest && total_bytes_ <= max_bytes)) break;
      id = use.text_at(0);
      tenant = static_cast<TenantId>(use.number_at(1));
    }
    GOS_TRY(erased, erase(id, tenant));
    if (!erased) break;
  }
  return erased ? execute("PRAGMA incremental_vacuum(1000)") : Status();
}

}  // namespace gossamer::server
