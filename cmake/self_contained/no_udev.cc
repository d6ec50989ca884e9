/// hwloc asks udev what disks are called, which nobody here wants to know: there are none.

struct udev;
struct udev_device;

extern "C" {
udev* udev_new() {
  return nullptr;
}
udev* udev_unref(udev* /*context*/) {
  return nullptr;
}
udev_device* udev_device_new_from_subsystem_sysname(udev* /*context*/, const char* /*subsystem*/,
                                                    const char* /*name*/) {
  return nullptr;
}
const char* udev_device_get_property_value(udev_device* /*device*/, const char* /*key*/) {
  return nullptr;
}
udev_device* udev_device_unref(udev_device* /*device*/) {
  return nullptr;
}
}
