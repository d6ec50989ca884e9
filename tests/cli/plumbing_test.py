"""The commands that other programs talk to, a JSON object a line, against values of other people's implementations."""
import gzip
import json
import struct
import tempfile
import unittest
from pathlib import Path

from gossamer import DATA, DEMO_MODEL, ORACLE, exchange, rows_of, run


def tokenizer_rows() -> list[dict]:
    path = ORACLE / "goldens/tokenizer.jsonl.gz"
    if not path.exists():
        return list(rows_of(DATA / "tokenizer/o200k.jsonl"))
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def harmony_rows(name: str) -> list[dict]:
    path = ORACLE / f"goldens/harmony_{name}.jsonl"
    return list(rows_of(path if path.exists() else DATA / f"harmony/{name}.jsonl"))


def read_safetensors(path: Path) -> dict[str, tuple[str, list[int], memoryview]]:
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    body = memoryview(data)[8 + size:]
    return {name: (t["dtype"], t["shape"], body[t["data_offsets"][0]:t["data_offsets"][1]]) for name, t in header.items() if name != "__metadata__"}


class Tokens(unittest.TestCase):
    def test_texts_become_the_ids_that_others_give(self):
        rows = [row for row in tokenizer_rows() if "ids" in row and "text" in row and row["kind"] != "bytes"]
        self.assertGreater(len(rows), 50)
        for row, answer in zip(rows, exchange("tokenize", rows=rows)):
            self.assertEqual(answer, {"ids": row["ids"]}, row["text"])

    def test_names_of_special_tokens_where_they_are_wanted(self):
        rows = [row for row in tokenizer_rows() if row["kind"] == "special"]
        self.assertGreater(len(rows), 0)
        for row, answer in zip(rows, exchange("tokenize", "--special", rows=rows)):
            self.assertEqual(answer["ids"], row["ids_special"], row["text"])

    def test_ids_become_text_and_bytes(self):
        rows = [row for row in tokenizer_rows() if "ids" in row and "text" in row]
        for row, answer in zip(rows, exchange("detokenize", rows=rows)):
            self.assertEqual(answer, {"text": row["text"], "hex": row.get("hex", row["text"].encode().hex())})

    def test_ids_without_a_name_decode_to_nothing(self):
        self.assertEqual(exchange("detokenize", rows=[{"ids": [13225, 201087, 4294967295]}]), [{"text": "Hello", "hex": b"Hello".hex()}])

    def test_a_models_own_vocabulary(self):
        text = {"text": "The capital of France is Paris."}
        (ids,) = exchange("tokenize", "--model", str(DEMO_MODEL), rows=[text])
        self.assertEqual(exchange("detokenize", "--model", str(DEMO_MODEL), rows=[ids])[0]["text"], text["text"])
        self.assertNotEqual(exchange("tokenize", rows=[text]), [ids])


class Harmony(unittest.TestCase):
    def test_conversations_render_as_openai_harmony_does(self):
        rows = harmony_rows("render")
        self.assertGreater(len(rows), 10)
        for row, answer in zip(rows, exchange("render", rows=rows)):
            with self.subTest(row["name"]):
                if "error" in row:
                    self.assertEqual(list(answer), ["error"])
                    continue
                self.assertEqual(set(answer), {"tokens", "text"})
                self.assertEqual(answer["tokens"], row["tokens"])
                self.assertEqual(answer["text"], row.get("text", answer["text"]))  # the committed rows leave long texts out

    def test_completions_parse_as_openai_harmony_does(self):
        for mode, strict in (("strict", True), ("compatible", False)):
            rows = [row for row in harmony_rows("parse") if row.get("strict", strict) == strict]  # a row that names no mode holds in both
            self.assertGreater(len(rows), 10)
            for row, answer in zip(rows, exchange("parse", "--mode", mode, rows=rows)):
                with self.subTest(row["name"], mode=mode):
                    self.assertEqual(answer["steps"], row["steps"])
                    self.assertEqual(answer["messages"], row["messages"])
                    self.assertEqual(answer.get("error_at"), row.get("error_at"))
                    self.assertEqual("eos_error" in answer, "eos_error" in row)

    def test_lenient_parsing_never_gives_an_error(self):
        rows = harmony_rows("parse")
        for row, answer in zip(rows, exchange("parse", rows=rows)):
            with self.subTest(row["name"]):
                self.assertEqual(set(answer), {"steps", "messages"})
                self.assertEqual(len(answer["steps"]), len(row["tokens"]))


class BadLines(unittest.TestCase):
    GOOD = {
        "tokenize": {"text": "Hi"},
        "detokenize": {"ids": [1]},
        "render": {"conversation": {"messages": []}},
        "parse": {"tokens": [], "role": "assistant"},
        "generate": {"conversation": {"messages": [{"role": "user", "content": "Hi"}]}, "max_tokens": 1},
    }
    BAD = ["{", "[]", "null", "{} {}", "\x00", '"text"', '{"text": 1, "ids": "x", "conversation": 3, "tokens": [-1]}', '{"a":' * 5000,
           '{"ids": [1.5], "tokens": [4294967296]}', '{"text": "\\ud800"}', '{"tokens": [1], "role": "king", "temperature": "hot"}']

    def test_each_is_answered_with_its_number_and_the_next_one_is_read(self):
        for command, good in self.GOOD.items():
            with self.subTest(command):
                lines = [json.dumps(good), *self.BAD, "", json.dumps(good)]
                done = run(command, stdin="\n".join(lines).encode("utf-8", "surrogatepass") + b"\n")
                answers = [json.loads(line) for line in done.stdout.splitlines()]
                self.assertEqual(done.returncode, 1)
                self.assertEqual(len(answers), 2 + len(self.BAD))
                self.assertEqual(answers[0], answers[-1])
                self.assertNotIn("error", answers[0])
                self.assertTrue(answers[1]["error"].startswith("line 2: "), answers[1])
                self.assertTrue(all("error" in answer for answer in answers[1:-1]), answers)

    def test_bytes_that_are_no_text(self):
        done = run("tokenize", stdin=b'{"text": "\xff\xfe"}\n\xff\n{"text": "Hi"}\n')
        answers = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
        self.assertEqual((len(answers), "ids" in answers[2]), (3, True))

    def test_no_input_is_no_output(self):
        for command in self.GOOD:
            self.assertEqual((run(command).returncode, run(command).stdout), (0, b""))


class Logits(unittest.TestCase):
    def logits(self, model: Path, rows: list[dict], *options: str) -> dict[str, tuple[list[int], list[float]]]:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            out = Path(folder) / "out.safetensors"
            done = run("logits", "--model", str(model), "--in", f"{folder}/in.jsonl", "--out", str(out), "--precision", "f32", *options)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(sorted(p.name for p in Path(folder).iterdir()), ["in.jsonl", "out.safetensors"])
            tensors = read_safetensors(out)
        self.assertTrue(all(dtype == "F32" for dtype, _, _ in tensors.values()))
        return {name: (shape, list(data.cast("f"))) for name, (_, shape, data) in tensors.items()}

    def test_the_likeliest_token_is_what_greedy_generation_takes(self):
        prompt = exchange("render", "--model", str(DEMO_MODEL), rows=[{"conversation": {"messages": [{"role": "user", "content": "Hi"}]}}])[0]["tokens"]
        (answer,) = exchange("generate", rows=[{"tokens": prompt, "temperature": 0, "max_tokens": 8}])
        tokens = prompt + answer["tokens"]
        shape, values = self.logits(DEMO_MODEL, [{"name": "a/b c", "tokens": tokens}])["a/b c"]
        self.assertEqual(shape[0], len(tokens))
        rows = [values[i * shape[1]:(i + 1) * shape[1]] for i in range(len(prompt) - 1, len(tokens) - 1)]
        self.assertEqual([row.index(max(row)) for row in rows], answer["tokens"])

    @unittest.skipUnless(ORACLE.exists(), "the oracles in ../shared are not here")
    def test_every_backend_agrees_with_the_oracle(self):
        golden = read_safetensors(ORACLE / "goldens/model/t96.safetensors")
        backends = run("version").stdout.decode().split("backends: ")[1].split(" (")[0].split(", ")
        cases = {name.split("/")[0] for name in golden if name.endswith("/logits")}
        rows = [{"name": case, "tokens": list(golden[f"{case}/tokens"][2].cast("i"))} for case in sorted(cases)]
        self.assertGreater(len(rows), 1)
        for backend in backends:
            logits = self.logits(ORACLE / "models/t96", rows, "--backend", backend)
            for case in cases:
                (_, (kept, vocab), expected), positions = golden[f"{case}/logits"], list(golden[f"{case}/positions"][2].cast("i"))
                self.assertEqual(len(positions), kept)
                expected = list(expected.cast("f"))
                worst = max(abs(logits[case][1][p * vocab + v] - expected[i * vocab + v]) for i, p in enumerate(positions) for v in range(vocab))
                self.assertLessEqual(worst, 1e-3, f"{backend} {case}")

    def test_what_cannot_be_computed_leaves_no_file(self):
        for rows, expected in [([{"name": "x", "tokens": [4000000000]}], "4000000000"), ([{"name": "x", "tokens": []}], "line 1"),
                               ([{"name": "x", "tokens": [1]}, {"name": "x", "tokens": [1]}], "line 2")]:
            with tempfile.TemporaryDirectory() as folder, self.subTest(expected):
                (Path(folder) / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
                done = run("logits", "--in", f"{folder}/in.jsonl", "--out", f"{folder}/out.safetensors")
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr.decode())
                self.assertEqual([p.name for p in Path(folder).iterdir()], ["in.jsonl"])


class Generate(unittest.TestCase):
    CONVERSATION = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}

    def test_an_answer_is_the_same_however_it_is_asked_for(self):
        (rendered,) = exchange("render", "--model", str(DEMO_MODEL), rows=[{"conversation": self.CONVERSATION}])
        by_name, by_tokens = exchange("generate", rows=[{"conversation": self.CONVERSATION, "temperature": 0, "max_tokens": 200},
                                                        {"tokens": rendered["tokens"], "temperature": 0, "max_tokens": 200}])
        self.assertEqual(by_name, by_tokens)
        self.assertEqual(by_name["text"], exchange("detokenize", "--model", str(DEMO_MODEL), rows=[{"ids": by_name["tokens"]}])[0]["text"])

    def test_the_seed_decides(self):
        # no conversation: what comes after loose words is anybody's guess, whatever the model
        (words,) = exchange("tokenize", "--model", str(DEMO_MODEL), rows=[{"text": "name city red"}])
        row = {"tokens": words["ids"], "temperature": 2, "max_tokens": 24}
        answers = exchange("generate", rows=[{**row, "seed": 7}, {**row, "seed": 8}, {**row, "seed": 7}])
        self.assertEqual(answers[0], answers[2])
        self.assertNotEqual(answers[0], answers[1])

    def test_a_short_answer_says_so(self):
        (answer,) = exchange("generate", rows=[{"conversation": self.CONVERSATION, "max_tokens": 2}])
        self.assertEqual((len(answer["tokens"]), answer["finish_reason"]), (2, "length"))

    def test_a_logit_bias_decides_too(self):
        (ids,) = exchange("tokenize", "--model", str(DEMO_MODEL), rows=[{"text": "a"}])
        (answer,) = exchange("generate", "--unconstrained", rows=[{"conversation": self.CONVERSATION, "max_tokens": 3, "logit_bias": {str(ids["ids"][0]): 1000}}])
        self.assertEqual(answer["tokens"], ids["ids"] * 3)

    @unittest.skipUnless(ORACLE.exists(), "the oracles in ../shared are not here")
    def test_a_model_without_a_tokenizer_takes_tokens(self):
        model = str(ORACLE / "models/t64")
        (answer,) = exchange("generate", "--model", model, rows=[{"tokens": [1, 2, 3], "max_tokens": 4, "temperature": 0}])
        self.assertEqual((len(answer["tokens"]), "text" in answer), (4, False))
        done = run("generate", "--model", model, stdin=json.dumps({"conversation": self.CONVERSATION}))
        self.assertEqual(done.returncode, 1)
        self.assertIn("tokenizer", json.loads(done.stdout)["error"])


if __name__ == "__main__":
    unittest.main()
