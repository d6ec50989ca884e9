"""./gossamer, the launcher, in a copy of the repository's outline, with programs of our own where the real ones would install
packages or compile for minutes."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from gossamer import ROOT

# What the launcher may count on in every Debian; sudo is not among it.
BASICS = ["bash", "basename", "cat", "chmod", "cmp", "comm", "date", "dirname", "env", "find", "flock", "grep", "mkdir", "mv", "nproc", "readlink", "rm", "sed", "sleep",
          "sort", "tail", "tee", "touch", "tr"]
PACKAGES = "g++ cmake ninja-build"
BUILDS = """#!/bin/bash
case "$*" in
  *--build*) sleep ${BUILD_SECONDS:-0}; echo "[1/1] Linking"; mkdir -p build/release/bin
    printf '#!/bin/bash\\necho "ran: $*"; exit 7\\n' > build/release/bin/gossamer; chmod +x build/release/bin/gossamer; echo built >> builds ;;
  *) echo "$*" > configured; mkdir -p build/release; touch build/release/build.ninja ;;
esac
"""
FAILS = "#!/bin/bash\necho 'main.cc:1: error: no such thing'\nexit 1\n"
INSTALLED = f"#!/bin/bash\nprintf 'installed %s\\n' {PACKAGES}\n"
NOT_INSTALLED = "#!/bin/bash\nexit 1\n"


class Launcher(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "a clone"
        self.programs = Path(folder.name) / "programs"
        for path in (self.root / "src", self.root / "cmake", self.root / "tools", self.root / "rust/grammar", self.programs):
            path.mkdir(parents=True)
        for name in ("gossamer", "tools/setup.sh"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("CMakeLists.txt", "CMakePresets.json", "src/main.cc"):
            (self.root / name).touch()
        (self.root / "tools/packages.txt").write_text(f"build: {PACKAGES}\n")
        for name in BASICS:
            (self.programs / name).symlink_to(shutil.which(name))
        for name, text in [("cmake", BUILDS), ("dpkg-query", INSTALLED), ("apt-get", FAILS), ("id", "#!/bin/bash\necho 1000\n"), ("cargo", "#!/bin/bash\n")]:
            self.program(name, text)

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {"PATH": str(self.programs), "HOME": "/nonexistent", "BUILD_SECONDS": "0"}

    def launch(self, *arguments: str, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(self.root / "gossamer"), *arguments], env=self.environment(), cwd=cwd, capture_output=True, text=True, timeout=60, check=False)

    def builds(self) -> int:
        return len((self.root / "builds").read_text().split()) if (self.root / "builds").exists() else 0

    def test_it_builds_once_and_passes_arguments_and_exit_code(self):
        for expected_builds in (1, 1):
            done = self.launch("run", "two words", "")
            self.assertEqual((done.stdout, done.returncode), ("ran: run two words \n", 7))
            self.assertEqual(self.builds(), expected_builds)
        self.assertEqual(done.stderr, "")

    def test_a_changed_source_is_built(self):
        self.launch()
        time.sleep(0.01)
        (self.root / "src/main.cc").touch()
        self.assertEqual(self.launch().stdout, "ran: \n")
        self.assertEqual(self.builds(), 2)

    def test_it_works_through_a_link_from_anywhere(self):
        link = self.programs / "linked"
        link.symlink_to(self.root / "gossamer")
        done = subprocess.run([str(link), "x"], env=self.environment(), cwd="/", capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout, "ran: x\n")

    def test_a_failed_build_shows_why_and_is_tried_again(self):
        self.program("cmake", FAILS)
        done = self.launch()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("main.cc:1: error: no such thing", done.stderr)
        self.assertIn(str(self.root / "build/release.log"), done.stderr)
        self.program("cmake", BUILDS)
        self.assertEqual(self.launch().stdout, "ran: \n")

    def test_without_the_crates_it_builds_without_schemas_and_says_so(self):
        self.launch()
        self.assertNotIn("GOSSAMER_GRAMMAR", (self.root / "configured").read_text())
        shutil.rmtree(self.root / "build")
        self.program("cargo", FAILS)
        done = self.launch()
        self.assertEqual(done.stdout, "ran: \n")
        self.assertIn("requests with a JSON schema will be refused", done.stderr)
        self.assertIn("-DGOSSAMER_GRAMMAR=OFF", (self.root / "configured").read_text())

    def test_it_builds_for_gpus_once_that_was_asked_for(self):
        wheels = self.root / "build/cuda-wheels"
        wheels.mkdir(parents=True)
        for file in (self.root / "tools/cuda-wheels.txt", wheels / ".installed"):
            file.write_text("compiler==1\n")
        self.assertEqual(self.launch().stdout, "ran: \n")  # ./test --cuda installs the compiler too
        self.assertIn("--preset release", (self.root / "configured").read_text())
        self.assertEqual(self.launch("setup", "cuda").returncode, 0)
        self.launch()
        self.assertIn("--preset cuda", (self.root / "configured").read_text())

    def test_without_root_and_sudo_it_says_what_to_install(self):
        self.program("dpkg-query", NOT_INSTALLED)
        done = self.launch()
        self.assertEqual((done.returncode, done.stdout, self.builds()), (1, "", 0))
        self.assertIn("apt-get install cmake g++ ninja-build", done.stderr)

    def test_packages_are_named_before_they_are_installed(self):
        self.program("id", "#!/bin/bash\necho 0\n")
        self.program("dpkg-query", f"#!/bin/bash\n[ -e '{self.root}/apt' ] && printf 'installed %s\\n' {PACKAGES}\n")
        self.program("apt-get", f'#!/bin/bash\necho "$@" >> "{self.root}/apt"\n')
        done = self.launch()
        self.assertEqual(done.stdout, "ran: \n")
        self.assertIn("installing Debian packages with apt-get: cmake g++ ninja-build", done.stderr)
        update, install = (self.root / "apt").read_text().splitlines()
        self.assertTrue(update.startswith("update") and install.startswith("install") and install.endswith("cmake g++ ninja-build"))

    def test_packages_that_cannot_be_installed_end_it(self):
        self.program("id", "#!/bin/bash\necho 0\n")
        self.program("dpkg-query", NOT_INSTALLED)
        done = self.launch()
        self.assertEqual((done.returncode, self.builds()), (1, 0))
        self.assertIn("did not install cmake g++ ninja-build", done.stderr)

    def test_a_system_without_apt_is_told_what_it_needs(self):
        (self.programs / "apt-get").unlink()
        done = self.launch()
        self.assertEqual(done.returncode, 1)
        self.assertIn("g++ cmake ninja-build", done.stderr)

    def test_two_at_once_build_once(self):
        environment = {**self.environment(), "BUILD_SECONDS": "1"}
        both = [subprocess.Popen([str(self.root / "gossamer"), str(n)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for n in range(2)]
        outputs = [process.communicate(timeout=60)[0] for process in both]
        self.assertEqual(outputs, ["ran: 0\n", "ran: 1\n"])
        self.assertEqual(self.builds(), 1)

    def test_it_starts_at_once(self):
        self.launch()
        started = time.monotonic()
        for _ in range(10):
            self.launch()
        self.assertLess((time.monotonic() - started) / 10, 0.5)  # some 10 ms on a quiet machine


if __name__ == "__main__":
    unittest.main()
