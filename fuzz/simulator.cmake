gossamer_fuzzer(simulator_trace SOURCES simulator_trace.cc ROOMS simulator)
