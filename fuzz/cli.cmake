gossamer_fuzzer(cli_json SOURCES cli_json.cc ROOMS cli)
