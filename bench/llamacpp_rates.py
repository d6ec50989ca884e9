"""Prefill and decode rates of llama.cpp (the package llama-cpp-python) on one GGUF file, as one line of JSON with the figures' names of
`gossamer bench model`. Random tokens, no tokenizer and no sampler; of a prompt the logits of the last token alone. Run by compare_llamacpp, in the
virtual environment that it makes."""
import argparse
import ctypes
import json
import os
import statistics
import time

import llama_cpp as api

LOGICAL_BATCH_TOKENS = 2048


class Model:
    def __init__(self, path: str, threads: int, ubatch: int):
        self.silence = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(self.silence, ctypes.c_void_p(0))
        api.llama_backend_init()
        options = api.llama_model_default_params()
        options.n_gpu_layers = 0
        start = time.perf_counter()
        self.handle = api.llama_model_load_from_file(path.encode(), options)
        if not self.handle:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.load_s = time.perf_counter() - start
        self.threads, self.ubatch = threads, ubatch
        self.vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.handle))


class Run:
    """A cache for some sequences, and batches through the model."""

    def __init__(self, model: Model, tokens: int, sequences: int):
        options = api.llama_context_default_params()
        options.n_ctx = -(-tokens * sequences // 256) * 256
        self.batch_tokens = max(LOGICAL_BATCH_TOKENS, model.ubatch)
        options.n_batch, options.n_ubatch, options.n_seq_max = self.batch_tokens, model.ubatch, sequences
        options.n_threads = options.n_threads_batch = model.threads
        options.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_ENABLED
        options.swa_full = False
        options.kv_unified = sequences > 1
        self.model, self.sequences = model, sequences
        self.context = api.llama_init_from_model(model.handle, options)
        if not self.context:
            raise SystemExit("llama.cpp has no memory for its cache")
        self.batch = api.llama_batch_init(self.batch_tokens, 0, 1)
        self.state = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        api.llama_batch_free(self.batch)
        api.llama_free(self.context)

    def compute(self, items: list[tuple[int, int, bool]]) -> None:
        """(sequence, position, wants logits) of each token."""
        self.batch.n_tokens = len(items)
        for i, (sequence, position, logits) in enumerate(items):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            self.batch.token[i] = (self.state >> 33) % (self.model.vocab * 49 // 50)  # the last ids are frame tokens
            self.batch.pos[i], self.batch.n_seq_id[i], self.batch.seq_id[i][0], self.batch.logits[i] = position, 1, sequence, logits
        if api.llama_decode(self.context, self.batch) != 0:
            raise SystemExit("llama_decode failed")
        api.llama_synchronize(self.context)

    def prompt(self, sequence: int, tokens: int) -> None:
        for begin in range(0, tokens, self.batch_tokens):
            end = min(tokens, begin + self.batch_tokens)
            self.compute([(sequence, position, position == tokens - 1) for position in range(begin, end)])

    def step(self, position: int) -> None:
        self.compute([(sequence, position, True) for sequence in range(self.sequences)])

    def clear(self) -> None:
        api.llama_memory_clear(api.llama_get_memory(self.context), True)


def prefill(model: Model, tokens: int, runs: int) -> list[float]:
    with Run(model, tokens, 1) as run:
        run.prompt(0, min(tokens, 32))
        rates = []
        for _ in range(runs):
            run.clear()
            start = time.perf_counter()
            run.prompt(0, tokens)
            rates.append(tokens / (time.perf_counter() - start))
        return rates


def decode(model: Model, steps: int, depth: int, sequences: int, runs: int) -> list[float]:
    """The sequences grow from run to run: at depth 0 from nothing each time, otherwise on from the depth."""
    with Run(model, depth + 1 + steps * (runs if depth else 1), sequences) as run:
        for sequence in range(sequences if depth else 0):
            run.prompt(sequence, depth)
        run.step(depth)
        position, rates = depth + 1, []
        for _ in range(runs):
            if depth == 0:
                run.clear()
                position = 0
            start = time.perf_counter()
            for _ in range(steps):
                run.step(position)
                position += 1
            rates.append(steps * sequences / (time.perf_counter() - start))
        return rates


def resident_mb(field: str) -> float:
    """Of this process, in 10^6 bytes as gossamer's; Linux counts in KiB."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024 / 1e6


def counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("model")
    options.add_argument("--threads", type=int, required=True)
    options.add_argument("--pp", type=counts, default=[])
    options.add_argument("--tg", type=int, default=32)
    options.add_argument("--depth", type=lambda text: counts(text) or [0], default=[0])
    options.add_argument("--parallel", type=counts, default=[])
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--ubatch", type=int, default=512, help="llama.cpp's own default")
    chosen = options.parse_args()
    model = Model(chosen.model, chosen.threads, chosen.ubatch)
    figures = []

    def add(name: str, rates: list[float]) -> None:
        figures.append({"figure": name, "unit": "tok/s", "min": min(rates), "median": statistics.median(rates), "max": max(rates), "runs": len(rates)})

    for tokens in chosen.pp:
        add(f"pp{tokens}", prefill(model, tokens, chosen.runs))
    for depth in chosen.depth if chosen.tg else []:
        add(f"tg{chosen.tg}@{depth}", decode(model, chosen.tg, depth, 1, chosen.runs))
    for sequences in chosen.parallel if chosen.tg else []:
        add(f"tg{chosen.tg}x{sequences}@{chosen.depth[0]}", decode(model, chosen.tg, chosen.depth[0], sequences, chosen.runs))
    print(json.dumps({"engine": "llama.cpp, llama-cpp-python " + api.__version__, "model": os.path.basename(chosen.model),
                      "model_bytes": os.path.getsize(chosen.model), "threads": chosen.threads, "ubatch": chosen.ubatch, "load_s": model.load_s,
                      "system_info": api.llama_print_system_info().decode().strip(), "rss_anon_mb": resident_mb("RssAnon"), "rss_mb": resident_mb("VmRSS"),
                      "figures": figures}))


if __name__ == "__main__":
    main()
