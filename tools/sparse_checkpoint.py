#!/usr/bin/env python3
"""Write a full-size gpt-oss model whose weights are holes: right headers, names, shapes and file sizes, next to no disk.

    sparse_checkpoint.py OUT --model 20b|120b --form safetensors|original|gguf [--parts N]

OUT is a folder for the safetensors forms and a .gguf path for GGUF (with --parts N: the model split over N files beside it, named
as llama.cpp names them). Every weight reads as zero. Needs Python 3.9 and nothing else; the file system must know sparse files.
"""
import argparse
import json
import math
import os
import struct
import sys

LAYERS = {"20b": 24, "120b": 36}
EXPERTS = {"20b": 32, "120b": 128}
HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 2880, 2880, 64, 8, 64, 201088
Q_ROWS, KV_ROWS = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM

BYTES = {"BF16": 2, "U8": 1}  # of one element, safetensors
# ggml: type number, elements and bytes of a block
GGML = {"F32": (0, 1, 4), "Q8_0": (8, 32, 34), "MXFP4": (39, 32, 17)}


def hugging_face_tensors(model):
    """name -> (dtype, shape), as openai/gpt-oss-20b has them."""
    experts = EXPERTS[model]
    tensors = {"model.embed_tokens.weight": ("BF16", [VOCAB, HIDDEN])}
    for layer in range(LAYERS[model]):
        p = f"model.layers.{layer}."
        tensors[p + "input_layernorm.weight"] = ("BF16", [HIDDEN])
        for name, rows in (("q", Q_ROWS), ("k", KV_ROWS), ("v", KV_ROWS)):
            tensors[p + f"self_attn.{name}_proj.weight"] = ("BF16", [rows, HIDDEN])
            tensors[p + f"self_attn.{name}_proj.bias"] = ("BF16", [rows])
        tensors[p + "self_attn.o_proj.weight"] = ("BF16", [HIDDEN, Q_ROWS])
        tensors[p + "self_attn.o_proj.bias"] = ("BF16", [HIDDEN])
        tensors[p + "self_attn.sinks"] = ("BF16", [HEADS])
        tensors[p + "post_attention_layernorm.weight"] = ("BF16", [HIDDEN])
        tensors[p + "mlp.router.weight"] = ("BF16", [experts, HIDDEN])
        tensors[p + "mlp.router.bias"] = ("BF16", [experts])
        for name, rows, cols in (("gate_up_proj", 2 * INTERMEDIATE, HIDDEN), ("down_proj", HIDDEN, INTERMEDIATE)):
            tensors[p + f"mlp.experts.{name}_blocks"] = ("U8", [experts, rows, cols // 32, 16])
            tensors[p + f"mlp.experts.{name}_scales"] = ("U8", [experts, rows, cols // 32])
            tensors[p + f"mlp.experts.{name}_bias"] = ("BF16", [experts, rows])
    tensors["model.norm.weight"] = ("BF16", [HIDDEN])
    tensors["lm_head.weight"] = ("BF16", [VOCAB, HIDDEN])
    return tensors


def original_tensors(model):
    """The same under the names of the original/ folder, with q, k and v in one."""
    experts = EXPERTS[model]
    tensors = {"embedding.weight": ("BF16", [VOCAB, HIDDEN])}
    for layer in range(LAYERS[model]):
        p = f"block.{layer}."
        tensors[p + "attn.norm.scale"] = ("BF16", [HIDDEN])
        tensors[p + "attn.qkv.weight"] = ("BF16", [Q_ROWS + 2 * KV_ROWS, HIDDEN])
        tensors[p + "attn.qkv.bias"] = ("BF16", [Q_ROWS + 2 * KV_ROWS])
        tensors[p + "attn.sinks"] = ("BF16", [HEADS])
        tensors[p + "attn.out.weight"] = ("BF16", [HIDDEN, Q_ROWS])
        tensors[p + "attn.out.bias"] = ("BF16", [HIDDEN])
        tensors[p + "mlp.norm.scale"] = ("BF16", [HIDDEN])
        tensors[p + "mlp.gate.weight"] = ("BF16", [experts, HIDDEN])
        tensors[p + "mlp.gate.bias"] = ("BF16", [experts])
        for name, rows, cols in (("mlp1", 2 * INTERMEDIATE, HIDDEN), ("mlp2", HIDDEN, INTERMEDIATE)):
            tensors[p + f"mlp.{name}_weight.blocks"] = ("U8", [experts, rows, cols // 32, 16])
            tensors[p + f"mlp.{name}_weight.scales"] = ("U8", [experts, rows, cols // 32])
            tensors[p + f"mlp.{name}_bias"] = ("BF16", [experts, rows])
    tensors["norm.scale"] = ("BF16", [HIDDEN])
    tensors["unembedding.weight"] = ("BF16", [VOCAB, HIDDEN])
    return tensors


def gguf_tensors(model):
    """name -> (type, row-major shape), as ggml-org/gpt-oss-20b-GGUF has them: MXFP4 experts, Q8_0 matrices, F32 for the rest."""
    experts = EXPERTS[model]
    tensors = {"token_embd.weight": ("Q8_0", [VOCAB, HIDDEN])}
    for layer in range(LAYERS[model]):
        p = f"blk.{layer}."
        tensors[p + "attn_norm.weight"] = ("F32", [HIDDEN])
        for name, rows, cols in (("q", Q_ROWS, HIDDEN), ("k", KV_ROWS, HIDDEN), ("v", KV_ROWS, HIDDEN), ("output", HIDDEN, Q_ROWS)):
            tensors[p + f"attn_{name}.weight"] = ("Q8_0", [rows, cols])
            tensors[p + f"attn_{name}.bias"] = ("F32", [rows])
        tensors[p + "attn_sinks.weight"] = ("F32", [HEADS])
        tensors[p + "post_attention_norm.weight"] = ("F32", [HIDDEN])
        tensors[p + "ffn_gate_inp.weight"] = ("F32", [experts, HIDDEN])
        tensors[p + "ffn_gate_inp.bias"] = ("F32", [experts])
        for name, rows, cols in (("gate", INTERMEDIATE, HIDDEN), ("up", INTERMEDIATE, HIDDEN), ("down", HIDDEN, INTERMEDIATE)):
            tensors[p + f"ffn_{name}_exps.weight"] = ("MXFP4", [experts, rows, cols])
            tensors[p + f"ffn_{name}_exps.bias"] = ("F32", [experts, rows])
    tensors["output_norm.weight"] = ("F32", [HIDDEN])
    tensors["output.weight"] = ("Q8_0", [VOCAB, HIDDEN])
    return tensors


def hugging_face_config(model):
    layers = LAYERS[model]
    return {
        "architectures": ["GptOssForCausalLM"], "attention_bias": True, "attention_dropout": 0.0, "eos_token_id": 200002,
        "experts_per_token": 4, "head_dim": HEAD_DIM, "hidden_act": "silu", "hidden_size": HIDDEN, "initial_context_length": 4096,
        "initializer_range": 0.02, "intermediate_size": INTERMEDIATE,
        "layer_types": [("sliding_attention", "full_attention")[layer % 2] for layer in range(layers)],
        "max_position_embeddings": 131072, "model_type": "gpt_oss", "num_attention_heads": HEADS, "num_experts_per_tok": 4,
        "num_hidden_layers": layers, "num_key_value_heads": KV_HEADS, "num_local_experts": EXPERTS[model],
        "output_router_logits": False, "pad_token_id": 199999,
        "quantization_config": {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens",
                                                           "lm_head"], "quant_method": "mxfp4"},
        "rms_norm_eps": 1e-05,
        "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "original_max_position_embeddings": 4096,
                         "rope_type": "yarn", "truncate": False},
        "rope_theta": 150000, "router_aux_loss_coef": 0.9, "sliding_window": 128, "swiglu_limit": 7.0, "tie_word_embeddings": False,
        "transformers_version": "4.55.0.dev0", "use_cache": True, "vocab_size": VOCAB}


def original_config(model):
    return {
        "num_hidden_layers": LAYERS[model], "num_experts": EXPERTS[model], "experts_per_token": 4, "vocab_size": VOCAB,
        "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "swiglu_limit": 7.0, "head_dim": HEAD_DIM,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "sliding_window": 128, "initial_context_length": 4096,
        "rope_theta": 150000, "rope_scaling_factor": 32.0, "rope_ntk_alpha": 1, "rope_ntk_beta": 32}


GENERATION_CONFIG = {"bos_token_id": 199998, "do_sample": True, "eos_token_id": [200002, 199999, 200012], "pad_token_id": 199999,
                     "transformers_version": "4.55.0.dev0"}


def write_sparse(path, header, total_bytes):
    """The header, then a hole up to `total_bytes`. Stops where the file system fills the hole."""
    with open(path, "wb") as f:
        f.write(header)
        f.truncate(total_bytes)
    if os.stat(path).st_blocks * 512 > len(header) + (1 << 20):
        os.remove(path)
        sys.exit(f"{path}: this file system has no sparse files")


def write_safetensors(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape) in tensors.items():
        size = BYTES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_sparse(path, struct.pack("<Q", len(text)) + text, 8 + len(text) + offset)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)


def write_folder(folder, tensors, config, shard_name=None, shard_bytes=0):
    """Shards of up to `shard_bytes` and an index, or one model.safetensors where `shard_name` is None."""
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "config.json"), config)
    if shard_name is None:
        write_safetensors(os.path.join(folder, "model.safetensors"), tensors)
        return
    shards, used = [{}], 0
    for name, (dtype, shape) in tensors.items():
        size = BYTES[dtype] * math.prod(shape)
        if used + size > shard_bytes:
            shards.append({})
            used = 0
        shards[-1][name] = (dtype, shape)
        used += size
    weight_map = {}
    for number, shard in enumerate(shards):
        file = shard_name(number, len(shards))
        write_safetensors(os.path.join(folder, file), shard)
        weight_map.update(dict.fromkeys(shard, file))
    total = sum(BYTES[dtype] * math.prod(shape) for dtype, shape in tensors.values())
    write_json(os.path.join(folder, "model.safetensors.index.json"),
               {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(key, value):
    """One key and value; `value` is text, a whole number (u32), a fraction (f32) or ("u16", number)."""
    if isinstance(value, str):
        return gguf_string(key) + struct.pack("<I", 8) + gguf_string(value)
    if isinstance(value, float):
        return gguf_string(key) + struct.pack("<If", 6, value)
    if isinstance(value, tuple):
        return gguf_string(key) + struct.pack("<IH", 2, value[1])
    return gguf_string(key) + struct.pack("<II", 4, value)


def gguf_metadata(model):
    p = "gpt-oss."
    return {
        "general.architecture": "gpt-oss", "general.type": "model", "general.name": f"gpt-oss-{model}", p + "block_count": LAYERS[model],
        p + "context_length": 131072, p + "embedding_length": HIDDEN, p + "feed_forward_length": INTERMEDIATE,
        p + "attention.head_count": HEADS, p + "attention.head_count_kv": KV_HEADS, p + "rope.freq_base": 150000.0,
        p + "attention.layer_norm_rms_epsilon": 1e-5, p + "expert_count": EXPERTS[model], p + "expert_used_count": 4,
        p + "attention.key_length": HEAD_DIM, p + "attention.value_length": HEAD_DIM, p + "attention.sliding_window": 128,
        p + "expert_feed_forward_length": INTERMEDIATE, p + "rope.scaling.type": "yarn", p + "rope.scaling.factor": 32.0,
        p + "rope.scaling.original_context_length": 4096, "general.quantization_version": 2, "general.file_type": 38,
        "tokenizer.ggml.bos_token_id": 199998, "tokenizer.ggml.eos_token_id": 200002, "tokenizer.ggml.padding_token_id": 199999}


def write_gguf_file(path, metadata, tensors):
    align = 32
    header = struct.pack("<IIQQ", 0x46554747, 3, len(tensors), len(metadata))
    header += b"".join(gguf_value(key, value) for key, value in metadata.items())
    offset = 0
    for name, (kind, shape) in tensors.items():
        number, elements, size = GGML[kind]
        header += gguf_string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        header += struct.pack("<IQ", number, offset)
        offset += math.prod(shape) // elements * size
        offset += -offset % align
    header += b"\0" * (-len(header) % align)
    write_sparse(path, header, len(header) + offset)


def write_gguf(path, model, parts):
    tensors, metadata = gguf_tensors(model), gguf_metadata(model)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    if parts == 1:
        write_gguf_file(path, metadata, tensors)
        return
    names = list(tensors)
    for part in range(parts):
        split = {"split.no": ("u16", part), "split.count": ("u16", parts), "split.tensors.count": len(names)}
        own = names[part * len(names) // parts:(part + 1) * len(names) // parts]
        write_gguf_file(f"{path.removesuffix('.gguf')}-{part + 1:05d}-of-{parts:05d}.gguf", (metadata if part == 0 else {}) | split,
                        {name: tensors[name] for name in own})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="folder, or .gguf path")
    parser.add_argument("--model", choices=LAYERS, required=True)
    parser.add_argument("--form", choices=("safetensors", "original", "gguf"), required=True)
    parser.add_argument("--parts", type=int, default=1, help="GGUF: files to split the model over (default 1)")
    args = parser.parse_args()
    if args.form == "gguf":
        write_gguf(args.out, args.model, args.parts)
    elif args.form == "original" and args.model == "20b":
        write_folder(args.out, original_tensors(args.model), original_config(args.model))
    elif args.form == "original":
        # seven files, with two dashes in the name
        write_folder(args.out, original_tensors(args.model), original_config(args.model),
                     lambda number, count: f"model--{number + 1:05d}-of-{count:05d}.safetensors", 10 * 10**9)
    else:
        # the published shards count from 00000 and name the last number, not the count
        write_folder(args.out, hugging_face_tensors(args.model), hugging_face_config(args.model),
                     lambda number, count: f"model-{number:05d}-of-{count - 1:05d}.safetensors", 5 * 10**9)
        write_json(os.path.join(args.out, "generation_config.json"), GENERATION_CONFIG)


if __name__ == "__main__":
    main()
