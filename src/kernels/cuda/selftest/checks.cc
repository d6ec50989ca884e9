#include "kernels/cuda/selftest/checks.h"

#include <chrono>

#include "kernels/cuda/selftest/check.h"

namespace gossamer::kernels::cuda {
namespace {

/// What instructions do first: all other tolerances assume it.
std::vector<NamedCheck> checks_of(CheckSet set) {
  std::vector<NamedCheck> all;
  if (set != CheckSet::kOfWarpgroups)
    for (auto* checks : {arithmetic_checks, product_checks, elementwise_checks, attention_checks, router_checks,
                         expert_checks, host_checks, choice_checks})
      for (NamedCheck& check : checks()) all.push_back(std::move(check));
  if (set != CheckSet::kOfAnyCard)
    for (NamedCheck& check : warpgroup_checks()) all.push_back(std::move(check));
  return all;
}

std::string with_commas(uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace

std::byte* Check::make_bytes(uint64_t bytes) {
  const uint64_t guard = quick_ ? 0 : kGuardBytes;
  auto allocated = DeviceMemory::allocate(bytes + guard);
  if (!allocated.ok()) {
    wrong(allocated.error().message);
    device_failed_ = true;  // kernels would be given null
    return nullptr;
  }
  stream_.fill(allocated->data(), 0xff, bytes + guard);
  return memory_.emplace_back(Piece{std::move(*allocated), bytes}).memory.data();
}

void Check::download_bytes(void* to, const void* from, uint64_t bytes) {
  if (device_failed_) return;
  stream_.copy_to_host(to, from, bytes);
  if (const Status done = stream_.synchronize(); !done.ok()) {
    wrong(done.error().message);
    device_failed_ = true;
  }
}

void Check::free_memory() {
  if (!quick_)
    for (const Piece& piece : memory_) {
      std::vector<std::byte> guard(kGuardBytes, std::byte{0xff});
      download_bytes(guard.data(), piece.memory.data() + piece.bytes, kGuardBytes);
      for (size_t i = 0; i < guard.size(); ++i)
        if (guard[i] != std::byte{0xff}) {
          wrong(fmt::format("a kernel wrote to byte {} behind the end of {} bytes of memory", i + 1, piece.bytes));
          break;
        }
    }
  memory_.clear();
}

void Check::wrong(std::string sentence) {
  if (first_wrong_.empty()) first_wrong_ = std::move(sentence);
}

CheckOutcome Check::outcome() {
  free_memory();
  CheckOutcome outcome{"", false, "", 0};
  if (num_wrong_ > 0)
    wrong(fmt::format(
        "{} of {} numbers are wrong, the first at {}: {:.9g} where {:.9g} is right and a difference of "
        "{:.2g} is allowed",
        with_commas(num_wrong_), with_commas(num_compared_), worst_.where, worst_.got, worst_.want, worst_.allowed));
  if (num_compared_ + num_same_ + num_facts_ == 0) wrong("nothing was compared");
  if (!first_wrong_.empty()) {
    outcome.detail = first_wrong_;
    return outcome;
  }
  std::vector<std::string> parts;
  if (num_compared_ > 0 && worst_share_ > 0)
    parts.push_back(fmt::format("{} numbers; the farthest is off by {:.2g} where {:.2g} is allowed, {}",
                                with_commas(num_compared_), std::fabs(worst_.got - worst_.want), worst_.allowed,
                                worst_.where));
  else if (num_compared_ > 0)
    parts.push_back(fmt::format("{} numbers are exact", with_commas(num_compared_)));
  if (num_same_ > 0) parts.push_back(fmt::format("{} numbers have the same bits", with_commas(num_same_)));
  if (num_facts_ > 0) parts.push_back(fmt::format("{} facts hold", with_commas(num_facts_)));
  parts.insert(parts.end(), notes_.begin(), notes_.end());
  outcome.passed = true;
  outcome.detail = fmt::format("{}", fmt::join(parts, "; "));
  return outcome;
}

std::vector<float> random_floats(size_t count, std::mt19937& rng, float scale) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(rng);
  return values;
}

std::vector<std::string> check_names() {
  std::vector<std::string> names;
  for (const NamedCheck& check : checks_of(CheckSet::kAll)) names.push_back(check.name);
  return names;
}

std::vector<CheckOutcome> run_checks(const CheckOptions& options, const std::function<void(const CheckOutcome&)>& told,
                                     CheckSet set) {
  using Clock = std::chrono::steady_clock;
  std::vector<CheckOutcome> outcomes;
  ThreadPool threads(options.quick ? 1 : 0);
  auto stream = DeviceStream::create();
  std::string unusable = stream.ok() ? "" : stream.error().message;
  for (const NamedCheck& check : checks_of(set)) {
    if (check.name.find(options.only) == std::string::npos) continue;
    const auto begin = Clock::now();
    CheckOutcome& outcome = outcomes.emplace_back(CheckOutcome{"", false, unusable, 0});
    if (unusable.empty()) {
      Check running(options, *stream, threads);
      check.run(running);
      outcome = running.outcome();
      if (running.device_failed()) unusable = fmt::format("not run: the GPU failed in \"{}\"", check.name);
    }
    outcome.name = check.name;
    outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (told) told(outcome);
  }
  return outcomes;
}

}  // namespace gossamer::kernels::cuda
