#pragma once

#include <sys/socket.h>

#include <vector>

#include "base/result.h"

namespace gossamer::tools {

/// True for addresses of the public internet: not this machine, a private network, a link, a cloud's metadata service,
/// multicast, or an address that carries one of these inside (IANA's special-purpose registries).
bool is_public_address(const sockaddr_storage& address);

/// What this machine's interfaces are called at this moment. Errors: the system does not say.
Result<std::vector<sockaddr_storage>> machine_addresses();

/// True for public addresses that are none of `machine`, in whatever spelling (::ffff:1.2.3.4 is 1.2.3.4).
bool is_public_elsewhere(const sockaddr_storage& address, const std::vector<sockaddr_storage>& machine);
/// With machine_addresses() of now; false where the system does not say.
bool is_public_elsewhere(const sockaddr_storage& address);

}  // namespace gossamer::tools
