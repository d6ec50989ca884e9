"""The exported folder against transformers: same tokens, same logits as the training code in float32.

    python test_export.py [FOLDER]
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

import harmony
from batches import encode
from data import conversations
from export import tensors
from model import Config, Mini
from mxfp4 import pack_mxfp4, round_mxfp4

CODES = torch.tensor([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])


def test_packing() -> None:
    """Unpacking what was packed gives the rounded values, and rounding twice changes nothing."""
    w = torch.randn(3, 5, 64) * torch.logspace(-6, 3, 5)[:, None]
    blocks, scales = pack_mxfp4(w)
    codes = torch.stack((blocks & 15, blocks >> 4), -1).flatten(-2).long()
    assert torch.equal((CODES[codes] * 2.0 ** (scales.float() - 127)[..., None]).flatten(-2), round_mxfp4(w))
    assert torch.equal(round_mxfp4(round_mxfp4(w)), round_mxfp4(w))


def load(folder: Path) -> Mini:
    """The exported weights back in the training model, experts unpacked."""
    stored, config = load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())
    model = Mini(Config(**{k: config[k] for k in Config.__dataclass_fields__}))
    state = {}
    for name in model.state_dict():
        key = name if name.startswith("lm_head") else f"model.{name}"
        key = key.replace("mlp.gate_up_proj", "mlp.experts.gate_up_proj").replace("mlp.down_proj", "mlp.experts.down_proj")
        if f"{key}_blocks" in stored:
            blocks, scales = stored[f"{key}_blocks"], stored[f"{key}_scales"]
            codes = torch.stack((blocks & 15, blocks >> 4), -1).flatten(-2).long()
            state[name] = (CODES[codes] * 2.0 ** (scales.float() - 127)[..., None]).flatten(-2)
        else:
            state[name] = stored[key].float()
    model.load_state_dict(state)
    assert all(torch.equal(stored[k], v) for k, v in tensors(model).items()), "a second export differs"
    return model


@torch.no_grad()
def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "models" / "gossamer-mini"
    test_packing()
    ours, tokenizer = load(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    their_tokenizer = AutoTokenizer.from_pretrained(folder)
    worst = size = 0.0
    for c, _ in zip(conversations(3), range(20)):
        ids = encode(tokenizer, c).ids
        text = "".join(t for t, _ in harmony.render(c.messages, c.answer_from))
        assert their_tokenizer.encode(text, add_special_tokens=False) == ids
        assert their_tokenizer.decode(ids) == text
        tokens = torch.tensor([ids])
        expected, none = theirs(tokens).logits[0], torch.zeros(0, dtype=torch.long)
        size = max(size, expected.abs().max().item())
        for prefix in (none, tokens[0, :40]):  # alone, and as training sees it: a shared prefix, then rows
            rows = tokens[:, len(prefix):].expand(3, -1)
            logits = ours.logits(ours([(prefix, rows)])).view(3, rows.shape[1], -1)
            worst = max(worst, (logits - expected[len(prefix):]).abs().max().item())
    print(f"largest difference of a logit {worst:.1e}, largest logit {size:.1f}")
    assert worst < 2e-4 * size  # float32 sums in another order; a wrong formula is off by hundreds of times more


if __name__ == "__main__":
    main()
