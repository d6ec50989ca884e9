gossamer_fuzzer(harmony_parser SOURCES harmony_parser.cc ROOMS harmony)
gossamer_fuzzer(harmony_render SOURCES harmony_render.cc ROOMS harmony)
