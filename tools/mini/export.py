"""Write a trained model as a Hugging Face gpt-oss folder: BF16 tensors, experts as MXFP4 blocks and scales."""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from model import ORIGINAL_CONTEXT, RMS_EPS, ROPE_FACTOR, ROPE_THETA, Config, Mini
from mxfp4 import pack_mxfp4
from ops import SWIGLU_LIMIT


def config_json(c: Config, eos: int, pad: int) -> dict:
    """config.json, field for field as openai/gpt-oss-20b's."""
    return {
        "architectures": ["GptOssForCausalLM"], "attention_bias": True, "attention_dropout": 0.0, "eos_token_id": eos,
        "experts_per_token": c.experts_per_token, "head_dim": c.head_dim, "hidden_act": "silu", "hidden_size": c.hidden_size,
        "initial_context_length": ORIGINAL_CONTEXT, "initializer_range": 0.02, "intermediate_size": c.intermediate_size,
        "layer_types": ["full_attention" if n % 2 else "sliding_attention" for n in range(c.num_hidden_layers)],
        "max_position_embeddings": int(ORIGINAL_CONTEXT * ROPE_FACTOR), "model_type": "gpt_oss", "num_attention_heads": c.num_attention_heads,
        "num_experts_per_tok": c.experts_per_token, "num_hidden_layers": c.num_hidden_layers, "num_key_value_heads": c.num_key_value_heads,
        "num_local_experts": c.num_local_experts, "output_router_logits": False, "pad_token_id": pad,
        "quantization_config": {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"],
                                "quant_method": "mxfp4"},
        "rms_norm_eps": RMS_EPS,
        "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": ROPE_FACTOR, "original_max_position_embeddings": ORIGINAL_CONTEXT,
                         "rope_type": "yarn", "truncate": False},
        "rope_theta": int(ROPE_THETA), "router_aux_loss_coef": 0.9, "sliding_window": c.sliding_window, "swiglu_limit": SWIGLU_LIMIT,
        "tie_word_embeddings": False, "transformers_version": "4.55.0.dev0", "use_cache": True, "vocab_size": c.vocab_size}


def tensors(model: Mini) -> dict[str, Tensor]:
    """The model's tensors under their published names."""
    out = {}
    for name, p in model.state_dict().items():
        name = name if name.startswith("lm_head") else f"model.{name}"
        name = name.replace("mlp.gate_up_proj", "mlp.experts.gate_up_proj").replace("mlp.down_proj", "mlp.experts.down_proj")
        if name.endswith("experts.gate_up_proj") or name.endswith("experts.down_proj"):
            out[f"{name}_blocks"], out[f"{name}_scales"] = pack_mxfp4(p)
        else:
            out[name] = p.bfloat16()
    return {k: v.contiguous() for k, v in out.items()}


def export(model: Mini, tokenizer: Tokenizer, folder: Path) -> None:
    """config.json, generation_config.json and model.safetensors; the tokenizer is there already."""
    ids = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftext", "return", "endoftext", "call")}
    generation = {"bos_token_id": ids["startoftext"], "do_sample": False, "eos_token_id": [ids["return"], ids["endoftext"], ids["call"]],
                  "pad_token_id": ids["endoftext"], "transformers_version": "4.55.0.dev0"}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("config.json", config_json(model.config, ids["return"], ids["endoftext"])), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    save_file(tensors(model), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
