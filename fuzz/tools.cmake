gossamer_fuzzer(tools_html SOURCES tools_html.cc ROOMS tools)
gossamer_fuzzer(tools_mcp SOURCES tools_mcp.cc ROOMS tools)
