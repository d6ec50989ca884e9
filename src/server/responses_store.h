#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "server/responses_database.h"

namespace gossamer::server {

struct ResponsesStoreOptions {
  std::string file;                            ///< of SQLite; empty: in memory, gone with the process
  double ttl_seconds = 30 * 24 * 3600.0;       ///< after it was made, or last gone on from
  uint64_t max_bytes = uint64_t{64} << 20;     ///< of all responses; who was used longest ago goes
  std::function<int64_t()> unix_seconds;       ///< empty: the system's clock
  std::function<void(const Error&)> on_error;  ///< called on the store's thread where SQLite fails (a full disk)
};

/// Responses that have ended. Calls return at once; a thread of the store does the work in the order of the calls, and
/// calls back. A response is there for who asks after put() has returned. Tenants do not see each other's.
class ResponsesStore {
 public:
  /// Errors: see ResponsesDatabase::open().
  static Result<std::unique_ptr<ResponsesStore>> open(ResponsesStoreOptions options);
  /// close().
  ~ResponsesStore();

  /// Does what was asked before, and calls back; what is asked later is dropped. Not on the store's own thread.
  void close();

  const ReasoningSeal& seal() const { return seal_; }

  /// False: too much waits to be written, and this is not kept.
  bool put(StoredResponse response);
  /// Calls back with nothing where there is none.
  void get(std::string id, TenantId tenant, std::function<void(std::optional<StoredResponse>)> found);

  /// A response and all that it goes on from, oldest first; beside it those of `more` that are there.
  struct Chain {
    std::vector<StoredResponse> responses;
    std::vector<StoredResponse> more;
    std::string missing;  ///< the id of a link that is not there; empty: all are
  };
  void get_chain(std::string id, std::vector<std::string> more, TenantId tenant, std::function<void(Chain)> found);
  /// Calls back with false where there is none.
  void erase(std::string id, TenantId tenant, std::function<void(bool)> done);

  /// Waits until everything that was asked before is done.
  void wait();
  uint64_t count();        ///< waits
  uint64_t total_bytes();  ///< waits

 private:
  /// What is done in the database; gives what is then to be called, outside of it.
  using Work = std::function<std::function<void()>(ResponsesDatabase&)>;

  ResponsesStore(ResponsesStoreOptions options, ResponsesDatabase database);
  void add(Work work, uint64_t bytes = 0);
  void run();
  void do_batch(std::vector<Work> batch);
  bool holds(const Status& status);
  int64_t now() const;
  Chain find_chain(ResponsesDatabase& database, std::string id, const std::vector<std::string>& more, TenantId tenant);
  std::optional<StoredResponse> find(ResponsesDatabase& database, const std::string& id, TenantId tenant);

  const ResponsesStoreOptions options_;
  ResponsesDatabase database_;  // the thread's
  const ReasoningSeal seal_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<Work> waiting_;
  uint64_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gossamer::server
