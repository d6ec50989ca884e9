#include "checkpoint/config_json.h"

#include <limits>

#include "checkpoint/json_fields.h"
#include "checkpoint/shape.h"

namespace gossamer {
namespace {

/// An id or a list of ids.
Result<std::vector<TokenId>> read_eos(const JsonFields& fields, std::string_view what) {
  std::vector<TokenId> ids;
  const json::value* value = fields.find("eos_token_id");
  if (!value) return ids;
  const auto add = [&](const json::value& element) {
    boost::system::error_code failure;
    ids.push_back(element.to_number<TokenId>(failure));
    return !failure;
  };
  bool good = true;
  if (const json::array* list = value->if_array()) {
    for (const json::value& element : *list) good = good && add(element);
  } else {
    good = add(*value);
  }
  if (!good)
    return make_error(ErrorCode::kInvalidInput, "{}: eos_token_id is {}, not a token id or a list of them", what,
                      json_excerpt(*value));
  return ids;
}

/// gpt-oss alternates: layer 0 slides, layer 1 sees everything, and so on.
Status check_layer_types(const JsonFields& fields, const ModelConfig& model, std::string_view what) {
  const json::value* value = fields.find("layer_types");
  if (!value) return {};
  const json::array* types = value->if_array();
  if (!types || types->size() != model.num_layers)
    return make_error(ErrorCode::kInvalidInput, "{}: layer_types has {} entries, but num_hidden_layers is {}", what,
                      types ? types->size() : 0, model.num_layers);
  for (uint32_t layer = 0; layer < model.num_layers; ++layer) {
    const std::string_view expected = model.is_sliding(layer) ? "sliding_attention" : "full_attention";
    const json::string* type = (*types)[layer].if_string();
    if (!type || std::string_view(*type) != expected)
      return make_error(ErrorCode::kUnsupported, "{}: layer_types of layer {} is {}, but gpt-oss has {} there", what,
                        layer, json_excerpt((*types)[layer]), expected);
  }
  return {};
}

/// What the engine takes for granted because every gpt-oss model has it.
Status check_family(JsonFields& fields, std::string_view what) {
  const auto unsupported = [&](std::string_view field, std::string_view value, std::string_view expected) {
    fields.fail(make_error(ErrorCode::kUnsupported, "{}: {} is {}, but gossamer runs gpt-oss models, where it is {}",
                           what, field, excerpt(value), expected));
  };
  if (const std::string type = fields.text_or("model_type", "gpt_oss"); type != "gpt_oss")
    unsupported("model_type", type, "gpt_oss");
  if (const std::string act = fields.text_or("hidden_act", "silu"); act != "silu")
    unsupported("hidden_act", act, "silu");
  if (!fields.boolean_or("attention_bias", true)) unsupported("attention_bias", "false", "true");
  if (fields.boolean_or("tie_word_embeddings", false)) unsupported("tie_word_embeddings", "true", "false");
  if (const json::value* quantization = fields.find("quantization_config")) {
    JsonFields inner(*quantization, what, "quantization_config.");
    const std::string method = inner.text_or("quant_method", "mxfp4");
    if (!inner.status().ok()) return inner.status();
    if (method != "mxfp4") unsupported("quant_method", method, "mxfp4");
  }
  return fields.status();
}

/// `rope_parameters`, or `rope_scaling` with `rope_theta` outside.
Status read_rope(JsonFields& fields, ModelConfig& model, std::string_view what) {
  const json::value* parameters = fields.find("rope_parameters");
  const json::value* object = parameters ? parameters : fields.find("rope_scaling");
  if (!object) return make_error(ErrorCode::kInvalidInput, "{} has no rope_scaling or rope_parameters", what);
  const std::string prefix = parameters ? "rope_parameters." : "rope_scaling.";
  JsonFields rope(*object, what, prefix);
  const std::string type = rope.text_or("rope_type", rope.text_or("type", "yarn"));
  model.rope_factor = rope.number({"factor"});
  model.rope_beta_fast = rope.number_or("beta_fast", model.rope_beta_fast);
  model.rope_beta_slow = rope.number_or("beta_slow", model.rope_beta_slow);
  const bool truncate = rope.boolean_or("truncate", false);
  model.rope_theta = rope.has("rope_theta") ? rope.number({"rope_theta"}) : fields.number({"rope_theta"});
  model.original_context = rope.has("original_max_position_embeddings")
                               ? rope.count({"original_max_position_embeddings"})
                               : fields.count({"initial_context_length"});
  if (!rope.status().ok()) return rope.status();
  if (type != "yarn")
    return make_error(ErrorCode::kUnsupported, "{}: {}rope_type is {}, but gpt-oss has yarn", what, prefix,
                      excerpt(type));
  if (truncate)
    return make_error(ErrorCode::kUnsupported, "{}: {}truncate is true, but gpt-oss has false", what, prefix);
  return fields.status();
}

}  // namespace

Result<HuggingFaceConfig> parse_hugging_face_config(std::string_view text, std::string_view what) {
  GOS_TRY(const json::value root, parse_json(text, what));
  JsonFields fields(root, what);
  GOS_TRY_STATUS(check_family(fields, what));
  HuggingFaceConfig config;
  ModelConfig& model = config.model;
  model.num_layers = fields.count({"num_hidden_layers"});
  model.hidden = fields.count({"hidden_size"});
  model.intermediate = fields.count({"intermediate_size"});
  model.num_heads = fields.count({"num_attention_heads"});
  model.num_kv_heads = fields.count({"num_key_value_heads"});
  model.head_dim = fields.count({"head_dim"});
  model.num_experts = fields.count({"num_local_experts", "num_experts"});
  model.experts_per_token = fields.count({"num_experts_per_tok", "experts_per_token"});
  model.vocab_size = fields.count({"vocab_size"});
  model.sliding_window = fields.count({"sliding_window"});
  model.max_context = fields.count({"max_position_embeddings"});
  model.rms_norm_eps = fields.number_or("rms_norm_eps", model.rms_norm_eps);
  model.swiglu_limit = fields.number_or("swiglu_limit", model.swiglu_limit);
  GOS_TRY_STATUS(fields.status());
  GOS_TRY_STATUS(read_rope(fields, model, what));
  GOS_TRY_STATUS(check_config(model, what));
  GOS_TRY_STATUS(check_layer_types(fields, model, what));
  GOS_TRY(config.eos_ids, read_eos(fields, what));
  return config;
}

Result<ModelConfig> parse_original_config(std::string_view text, std::string_view what) {
  GOS_TRY(const json::value root, parse_json(text, what));
  JsonFields fields(root, what);
  ModelConfig model;
  model.num_layers = fields.count({"num_hidden_layers"});
  model.hidden = fields.count({"hidden_size"});
  model.intermediate = fields.count({"intermediate_size"});
  model.num_heads = fields.count({"num_attention_heads"});
  model.num_kv_heads = fields.count({"num_key_value_heads"});
  model.head_dim = fields.count({"head_dim"});
  model.num_experts = fields.count({"num_experts"});
  model.experts_per_token = fields.count({"experts_per_token"});
  model.vocab_size = fields.count({"vocab_size"});
  model.sliding_window = fields.count({"sliding_window"});
  model.original_context = fields.count({"initial_context_length"});
  model.rope_theta = fields.number({"rope_theta"});
  model.rope_factor = fields.number({"rope_scaling_factor"});
  model.rope_beta_fast = fields.number_or("rope_ntk_beta", model.rope_beta_fast);
  model.rope_beta_slow = fields.number_or("rope_ntk_alpha", model.rope_beta_slow);
  model.swiglu_limit = fields.number_or("swiglu_limit", model.swiglu_limit);
  GOS_TRY_STATUS(fields.status());
  // The layout does not state the context: it is what YaRN stretches the original one to.
  const double context = static_cast<double>(model.original_context) * model.rope_factor;
  if (!(context >= 1 && context <= std::numeric_limits<int32_t>::max()))
    return make_error(ErrorCode::kInvalidInput,
                      "{}: initial_context_length {} times rope_scaling_factor {} is no length of a context", what,
                      model.original_context, model.rope_factor);
  model.max_context = static_cast<uint32_t>(context);
  GOS_TRY_STATUS(check_config(model, what));
  return model;
}

Result<GenerationDefaults> parse_generation_config(std::string_view text, std::string_view what) {
  GOS_TRY(const json::value root, parse_json(text, what));
  JsonFields fields(root, what);
  GenerationDefaults defaults;
  defaults.do_sample = fields.boolean_or("do_sample", defaults.do_sample);
  defaults.temperature = fields.number_or("temperature", defaults.temperature);
  defaults.top_p = fields.number_or("top_p", defaults.top_p);
  if (fields.has("top_k")) defaults.top_k = fields.count({"top_k"});
  GOS_TRY_STATUS(fields.status());
  if (!(defaults.temperature >= 0.f && defaults.temperature <= 100.f))
    return make_error(ErrorCode::kInvalidInput, "{}: temperature is {}, not 0 to 100", what, defaults.temperature);
  if (!(defaults.top_p > 0.f && defaults.top_p <= 1.f))
    return make_error(ErrorCode::kInvalidInput, "{}: top_p is {}, not above 0 and up to 1", what, defaults.top_p);
  GOS_TRY(defaults.eos_ids, read_eos(fields, what));
  return defaults;
}

}  // namespace gossamer
