"""A program with kernels for GPUs where there is none, as ./test --cuda links it: it needs nothing of NVIDIA's to start, says
once why it computes on the CPU, and refuses to do so where a GPU was asked for. $GOSSAMER names the program."""
import ctypes
import subprocess
import tempfile
import unittest
from pathlib import Path

from gossamer import FIXED, PROGRAM, QUESTION, run

# A driver in name: of a version, and whatever it is asked to do fails in one way.
DRIVER = """
#include <stdlib.h>
#include <string.h>
static int fails(void) { return atoi(getenv("DRIVER_FAILS")); }
int cuDriverGetVersion(int* version) { *version = atoi(getenv("DRIVER_VERSION")); return 0; }
int cuGetProcAddress_v2(const char* name, void** found, int version, unsigned long long flags, int* status) {
  *found = strcmp(name, "cuDriverGetVersion") == 0 ? (void*)cuDriverGetVersion :
           strncmp(name, "cuGetProcAddress", 16) == 0 ? (void*)cuGetProcAddress_v2 : (void*)fails;
  if (status) *status = 0;
  return 0;
}
"""
NO_DEVICE, UNKNOWN = 100, 999  # of the driver's errors


def has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


class NoGpu(unittest.TestCase):
    def test_it_starts_without_cuda(self):
        needed = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("not found", needed)
        for library in ("libcuda", "libcudart", "libnv", "libcublas"):
            self.assertNotIn(library, needed)
        self.assertEqual(run("version").returncode, 0)

    @unittest.skipIf(has_driver(), "this machine has NVIDIA's driver")
    def test_by_default_it_computes_on_the_cpu_and_says_so_once(self):
        on_cpu = run("run", *FIXED, "--device", "cpu", QUESTION)
        self.assertEqual((on_cpu.returncode, on_cpu.stderr), (0, b""))
        self.assertIn(b"Paris", on_cpu.stdout)
        for device in ([], ["--device", "auto"]):
            done = run("run", *FIXED, *device, QUESTION)
            self.assertEqual((done.returncode, done.stdout), (0, on_cpu.stdout))
            self.assertRegex(done.stderr.decode(), r"\Agossamer: computing on the CPU: there is no NVIDIA driver, [^\n]+\n\Z")

    @unittest.skipIf(has_driver(), "this machine has NVIDIA's driver")
    def test_a_gpu_that_was_asked_for_is_missed_in_one_sentence(self):
        for device in ("cuda", "cuda:3"):
            done = run("run", *FIXED, "--device", device, QUESTION)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertRegex(done.stderr.decode(), r"\Agossamer: there is no NVIDIA driver, [^\n]+\n\Z")

    def test_a_driver_is_told_from_a_gpu(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "driver.c"
            source.write_text(DRIVER)
            subprocess.run(["gcc", "-shared", "-fPIC", "-o", f"{folder}/libcuda.so.1", str(source)], check=True)
            too_old = ("there is no NVIDIA driver, or one too old for CUDA 13; install 580 or newer, in a container pass the GPU in "
                       "(--gpus all), or compute with --device cpu")
            for version, fails, wanted in ((12090, NO_DEVICE, too_old),
                                           (13000, NO_DEVICE, "there is no NVIDIA GPU: no CUDA-capable device is detected"),
                                           (13000, UNKNOWN, "there is no NVIDIA GPU: unknown error")):
                driver = {"LD_LIBRARY_PATH": folder, "DRIVER_VERSION": str(version), "DRIVER_FAILS": str(fails)}
                asked = run("run", *FIXED, "--device", "cuda", QUESTION, env=driver)
                self.assertEqual((asked.returncode, asked.stdout, asked.stderr.decode()), (1, b"", f"gossamer: {wanted}\n"))
                by_default = run("run", *FIXED, QUESTION, env=driver)
                self.assertEqual((by_default.returncode, by_default.stderr.decode()), (0, f"gossamer: computing on the CPU: {wanted}\n"))
                self.assertIn(b"Paris", by_default.stdout)


if __name__ == "__main__":
    unittest.main()
