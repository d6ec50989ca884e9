gossamer_fuzzer(http_request SOURCES http_request.cc ROOMS http)
gossamer_fuzzer(http_response SOURCES http_response.cc ROOMS http)
gossamer_fuzzer(http_sse SOURCES http_sse.cc ROOMS http)
