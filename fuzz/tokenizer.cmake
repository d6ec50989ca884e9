gossamer_fuzzer(tokenizer_encode SOURCES tokenizer_encode.cc ROOMS tokenizer)
gossamer_fuzzer(tokenizer_gguf SOURCES tokenizer_gguf.cc ROOMS tokenizer)
gossamer_fuzzer(tokenizer_json SOURCES tokenizer_json.cc ROOMS tokenizer)
