gossamer_fuzzer(server_chat_body SOURCES server_chat_body.cc ROOMS server)
