gossamer_fuzzer(load_answer SOURCES load_answer.cc ROOMS load)
gossamer_fuzzer(load_prompts SOURCES load_prompts.cc ROOMS load)
