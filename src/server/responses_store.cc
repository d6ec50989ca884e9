#include "server/responses_store.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

namespace gossamer::server {
namespace {

constexpr uint64_t kMostWaitingBytes = 64u << 20;
constexpr size_t kLongestChain = 1'000'000;  // a damaged file may hold a circle
constexpr std::chrono::seconds kSweepInterval{30};

}  // namespace

Result<std::unique_ptr<ResponsesStore>> ResponsesStore::open(ResponsesStoreOptions options) {
  GOS_TRY(ResponsesDatabase database, ResponsesDatabase::open(options.file));
  return std::unique_ptr<ResponsesStore>(new ResponsesStore(std::move(options), std::move(database)));
}

ResponsesStore::ResponsesStore(ResponsesStoreOptions options, ResponsesDatabase database)
    : options_(std::move(options)),
      database_(std::move(database)),
      seal_(database_.key()),
      thread_([this] { run(); }) {}

ResponsesStore::~ResponsesStore() {
  close();
}

void ResponsesStore::close() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  if (thread_.joinable()) thread_.join();
}

int64_t ResponsesStore::now() const {
  if (options_.unix_seconds) return options_.unix_seconds();
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

bool ResponsesStore::holds(const Status& status) {
  if (!status.ok() && options_.on_error) options_.on_error(status.error());
  return status.ok();
}

void ResponsesStore::add(Work work, uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    waiting_.push_back(std::move(work));
    waiting_bytes_ += bytes;
  }
  news_.notify_one();
}

void ResponsesStore::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    news_.wait_for(lock, kSweepInterval, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_ && waiting_.empty()) return;
    std::vector<Work> batch = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    lock.unlock();
    do_batch(std::move(batch));
    lock.lock();
  }
}

void ResponsesStore::do_batch(std::vector<Work> batch) {
  const bool began = holds(database_.begin());
  const double oldest = static_cast<double>(now()) - options_.ttl_seconds;
  holds(database_.shrink(oldest > 0 ? static_cast<int64_t>(oldest) : 0, ~uint64_t{0}));
  std::vector<std::function<void()>> callbacks;
  for (Work& work : batch)
    if (std::function<void()> callback = work(database_)) callbacks.push_back(std::move(callback));
  holds(database_.shrink(0, options_.max_bytes));
  if (began && !holds(database_.commit())) database_.roll_back();
  for (const std::function<void()>& callback : callbacks) {
    try {
      callback();
    } catch (const std::exception&) {  // memory ran out: whoever asked is answered with 500, for nobody answers him
    }
  }
}

bool ResponsesStore::put(StoredResponse response) {
  const uint64_t bytes = response.body.size() + response.input.size() + response.log.size();
  if (bytes > options_.max_bytes) return false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_bytes_ + bytes > kMostWaitingBytes) return false;
  }
  auto kept = std::make_shared<StoredResponse>(std::move(response));
  add(
      [this, kept](ResponsesDatabase& database) -> std::function<void()> {
        holds(database.put(*kept, now()));
        return {};
      },
      bytes);
  return true;
}

std::optional<StoredResponse> ResponsesStore::find(ResponsesDatabase& database, const std::string& id,
                                                   TenantId tenant) {
  Result<std::optional<StoredResponse>> found = database.get(id, tenant);
  if (found.ok()) return std::move(*found);
  holds(found.error());
  return std::nullopt;
}

void ResponsesStore::get(std::string id, TenantId tenant, std::function<void(std::optional<StoredResponse>)> found) {
  add([this, id = std::move(id), tenant, found = std::move(found)](ResponsesDatabase& database) {
    auto response = std::make_shared<std::optional<StoredResponse>>(find(database, id, tenant));
    return [found, response] { found(std::move(*response)); };
  });
}

ResponsesStore::Chain ResponsesStore::find_chain(ResponsesDatabase& database, std::string id,
                                                 const std::vector<std::string>& more, TenantId tenant) {
  Chain chain;
  const auto take = [&](const std::string& wanted, std::vector<StoredResponse>& into) {
    std::optional<StoredResponse> response = find(database, wanted, tenant);
    if (!response) return false;
    holds(database.touch(wanted, now()));
    into.push_back(std::move(*response));
    return true;
  };
  while (!id.empty() && chain.responses.size() < kLongestChain && take(id, chain.responses))
    id = chain.responses.back().previous_id;
  chain.missing = std::move(id);
  std::ranges::reverse(chain.responses);
  for (const std::string& wanted : more) take(wanted, chain.more);
  return chain;
}

void ResponsesStore::get_chain(std::string id, std::vector<std::string> more, TenantId tenant,
                               std::function<void(Chain)> found) {
  add([this, id = std::move(id), more = std::move(more), tenant,
       found = std::move(found)](ResponsesDatabase& database) {
    auto chain = std::make_shared<Chain>(find_chain(database, id, more, tenant));
    return [found, chain] { found(std::move(*chain)); };
  });
}

void ResponsesStore::erase(std::string id, TenantId tenant, std::function<void(bool)> done) {
  add([this, id = std::move(id), tenant, done = std::move(done)](ResponsesDatabase& database) {
    const Result<bool> erased = database.erase(id, tenant);
    if (!erased.ok()) holds(erased.error());
    return [done, was_there = erased.ok() && *erased] { done(was_there); };
  });
}

void ResponsesStore::wait() {
  (void)count();
}

uint64_t ResponsesStore::count() {
  std::promise<uint64_t> promise;
  add([&](ResponsesDatabase& database) { return [&promise, &database] { promise.set_value(database.count()); }; });
  return promise.get_future().get();
}

uint64_t ResponsesStore::total_bytes() {
  std::promise<uint64_t> promise;
  add([&](ResponsesDatabase& database) {
    return [&promise, &database] { promise.set_value(database.total_bytes()); };
  });
  return promise.get_future().get();
}

}  // namespace gossamer::server
