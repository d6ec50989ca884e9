foreach(parser config_json gguf model_name ollama_manifest safetensors safetensors_index)
  gossamer_fuzzer(checkpoint_${parser} SOURCES checkpoint_${parser}.cc ROOMS checkpoint)
endforeach()
