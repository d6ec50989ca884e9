gossamer_fuzzer(cli_json SOURCES cli_json.cc ROOMS cli)
gossamer_fuzzer(cli_workload SOURCES cli_workload.cc ROOMS cli)
