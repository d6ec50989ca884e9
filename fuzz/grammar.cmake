gossamer_fuzzer(grammar_schema SOURCES grammar_schema.cc ROOMS grammar)
