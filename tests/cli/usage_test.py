"""Help, wrong usage and failures: what a user meets before anything works."""
import json
import os
import subprocess
import unittest

from gossamer import PROGRAM, run

COMMANDS = ["run", "chat", "show", "tokenize", "detokenize", "render", "parse", "logits", "generate", "bench", "bench-serve", "gpu", "simulate", "synth", "serve", "version"]


class Help(unittest.TestCase):
    def test_every_command_has_help_with_an_example(self):
        for command in COMMANDS:
            with self.subTest(command):
                done = run(command, "--help")
                self.assertEqual(done.returncode, 0)
                self.assertIn("Example:\n  ", done.stdout.decode())
                self.assertIn("gossamer " + command.replace("-", " "), done.stdout.decode())
                self.assertEqual(done.stderr, b"")

    def test_the_list_of_commands(self):
        for arguments in (["--help"], ["help"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 0)
            for command in COMMANDS:
                self.assertIn(f"\n  {command.replace('-', ' ')} ", done.stdout.decode())

    def test_help_on_a_command_by_name(self):
        self.assertEqual(run("help", "run").stdout, run("run", "--help").stdout)

    def test_a_command_of_two_words(self):
        help_text = run("bench-serve", "--help").stdout
        self.assertEqual(run("bench", "serve", "--help").stdout, help_text)
        self.assertEqual(run("help", "bench", "serve").stdout, help_text)

    def test_version(self):
        for spelling in ("version", "--version"):
            self.assertRegex(run(spelling).stdout.decode(), r"\Agossamer \d+\.\d+\.\d+\n(.*\n)*backends: .*\bref\b")

    def test_version_says_what_was_chosen_and_where_it_runs(self):
        facts = json.loads(run("version", "--json").stdout)
        self.assertEqual(facts["backends"][-1], "ref")
        self.assertEqual(facts["backend"], os.environ.get("GOSSAMER_ISA") or facts["backends"][0])
        self.assertGreater(facts["usable_processors"], 0)
        text = run("version", "--verbose").stdout.decode()
        self.assertIn(f"({facts['backend']} is taken)", text)
        self.assertIn(f"compiler: {facts['compiler']}", text)
        forced = subprocess.run([PROGRAM, "version"], env={**os.environ, "GOSSAMER_ISA": "ref"}, stdout=subprocess.PIPE, check=True)
        self.assertIn(b"(ref is taken)", forced.stdout)
        wrong = subprocess.run([PROGRAM, "version"], env={**os.environ, "GOSSAMER_ISA": "sse"}, stderr=subprocess.PIPE, check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn(b"GOSSAMER_ISA names the backend 'sse'", wrong.stderr)
        self.assertRegex(subprocess.run([PROGRAM, "version", "--verbose"], env={**os.environ, "GOSSAMER_ISA": "ref"}, stdout=subprocess.PIPE,
                                        check=True).stdout, b"GOSSAMER_ISA: ref is taken because it says so\n")


class WrongUsage(unittest.TestCase):
    def check(self, arguments: list[str], *expected: str) -> None:
        done = run(*arguments)
        with self.subTest(arguments):
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stdout, b"")
            for text in expected:
                self.assertIn(text, done.stderr.decode())

    def test_each_names_what_is_wrong_and_where_help_is(self):
        self.check([], "Usage")
        self.check(["rum"], "there is no command 'rum'", "gossamer run")
        self.check(["tokenise"], "gossamer tokenize")
        self.check(["What is the capital of France?"], 'gossamer run "..."')
        self.check(["run", "--temprature", "1", "Hi"], "--temprature", "--temperature", "gossamer run --help")
        self.check(["run", "--temperature"], "--temperature", "gossamer run --help")
        self.check(["run", "--temperature", "hot", "Hi"], "hot")
        self.check(["run", "gossamer-mini", "two", "prompts"], "'prompts'", "quotes")
        self.check(["run", "gossamer-mini", "two", "serve"], "'serve' is one word too many")  # a command's name is a word behind another
        self.check(["run"], "no prompt")
        self.check(["run", "--reasoning", "extreme", "Hi"], "extreme", "low|medium|high")
        self.check(["run", "--think=extreme", "Hi"], "extreme")
        self.check(["parse", "--mode", "easy"], "easy", "strict|compatible|lenient")
        self.check(["logits", "--out", "x"], "--in")
        self.check(["logits", "--in", "x"], "--out")

    def test_values_out_of_range_are_named(self):
        for option, value in [("--temperature", "-1"), ("--top-p", "0"), ("--min-p", "2"), ("--presence-penalty", "-3"),
                              ("--frequency-penalty", "nan"), ("--repeat-penalty", "0"), ("--logit-bias", "x"), ("--top-k", "5000000000")]:
            done = run("run", option, value, "Hi")
            with self.subTest(option):
                self.assertIn(done.returncode, (1, 2))
                self.assertRegex(done.stderr.decode(), r"\Agossamer: ")


class Failures(unittest.TestCase):
    def check(self, arguments: list[str], *expected: str) -> None:
        done = run(*arguments)
        with self.subTest(arguments):
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr.decode(), r"\Agossamer: ")
            for text in expected:
                self.assertIn(text, done.stderr.decode())

    def test_one_sentence_that_says_what_and_where(self):
        self.check(["show", "no-such-model"], "no-such-model")
        self.check(["run", "/no/such/folder", "Hi"], "/no/such/folder")
        self.check(["show", "/dev/null"], "/dev/null")
        self.check(["run", "--tools", "/no/such/file", "Hi"], "/no/such/file")
        self.check(["run", "--date", "yesterday", "Hi"], "yesterday")
        self.check(["run", "--backend", "abacus", "Hi"], "abacus")
        self.check(["run", "--threads", "100000", "Hi"], "100000 threads", "4096", "--threads")
        self.check(["synth", "/tmp/x.gguf", "--preset", "tiny", "--threads", "100000"], "100000 threads", "4096")
        self.check(["logits", "--in", "/no/such/file", "--out", "/tmp/x.safetensors"], "/no/such/file")
        self.check(["bench", "tokenizer", "--text", "/no/such/file"], "/no/such/file")

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "version"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write to standard output", done.stderr)

    def test_a_reader_that_goes_away_is_no_news(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([PROGRAM, "version"], stdout=write_end, stderr=subprocess.PIPE, check=False)
        os.close(write_end)
        self.assertEqual((done.returncode, done.stderr), (1, b""))


if __name__ == "__main__":
    unittest.main()
