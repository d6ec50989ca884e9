#pragma once

#include <sys/socket.h>

namespace gossamer::tools {

/// True for addresses of the public internet: not this machine, a private network, a link, a cloud's metadata service,
/// multicast, or an address that carries one of these inside (IANA's special-purpose registries).
bool is_public_address(const sockaddr_storage& address);

}  // namespace gossamer::tools
