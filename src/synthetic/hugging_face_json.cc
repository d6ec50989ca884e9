#include "synthetic/hugging_face_json.h"

#include "base/token.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer::synthetic {
namespace {

/// The id that a special token of o200k_harmony has in the preset's vocabulary.
TokenId special_id(const Preset& preset, std::string_view name) {
  return *built_in_o200k()->special(name) - kO200kTextTokens + preset.num_text_tokens;
}

json::array layer_types(const ModelConfig& c) {
  json::array types;
  for (uint32_t layer = 0; layer < c.num_layers; ++layer)
    types.emplace_back(c.is_sliding(layer) ? "sliding_attention" : "full_attention");
  return types;
}

}  // namespace

json::object config_json(const Preset& preset) {
  const ModelConfig& c = preset.config;
  return {{"architectures", {"GptOssForCausalLM"}},
          {"attention_bias", true},
          {"attention_dropout", 0.0},
          {"eos_token_id", special_id(preset, "<|return|>")},
          {"experts_per_token", c.experts_per_token},
          {"head_dim", c.head_dim},
          {"hidden_act", "silu"},
          {"hidden_size", c.hidden},
          {"initial_context_length", c.original_context},
          {"initializer_range", 0.02},
          {"intermediate_size", c.intermediate},
          {"layer_types", layer_types(c)},
          {"max_position_embeddings", c.max_context},
          {"model_type", "gpt_oss"},
          {"num_attention_heads", c.num_heads},
          {"num_experts_per_tok", c.experts_per_token},
          {"num_hidden_layers", c.num_layers},
          {"num_key_value_heads", c.num_kv_heads},
          {"num_local_experts", c.num_experts},
          {"output_router_logits", false},
          {"pad_token_id", special_id(preset, "<|endoftext|>")},
          {"quantization_config",
           {{"modules_to_not_convert",
             {"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"}},
            {"quant_method", "mxfp4"}}},
          {"rms_norm_eps", 1e-5},
          {"rope_scaling",
           {{"beta_fast", c.rope_beta_fast},
            {"beta_slow", c.rope_beta_slow},
            {"factor", c.rope_factor},
            {"original_max_position_embeddings", c.original_context},
            {"rope_type", "yarn"},
            {"truncate", false}}},
          {"rope_theta", c.rope_theta},
          {"router_aux_loss_coef", 0.9},
          {"sliding_window", c.sliding_window},
          {"swiglu_limit", c.swiglu_limit},
          {"tie_word_embeddings", false},
          {"use_cache", true},
          {"vocab_size", c.vocab_size}};
}

json::object generation_config_json(const Preset& preset) {
  return {{"bos_token_id", special_id(preset, "<|startoftext|>")},
          {"do_sample", true},
          {"eos_token_id",
           {special_id(preset, "<|return|>"), special_id(preset, "<|endoftext|>"), special_id(preset, "<|call|>")}},
          {"pad_token_id", special_id(preset, "<|endoftext|>")}};
}

json::object tokenizer_config_json(const Preset& preset) {
  return {{"bos_token", "<|startoftext|>"},
          {"clean_up_tokenization_spaces", false},
          {"eos_token", "<|return|>"},
          {"model_input_names", {"input_ids", "attention_mask"}},
          {"model_max_length", preset.config.max_context},
          {"pad_token", "<|endoftext|>"},
          {"tokenizer_class", "PreTrainedTokenizerFast"}};
}

}  // namespace gossamer::synthetic
