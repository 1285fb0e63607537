{
  "targets": [
    {
      "target_name": "wasm_precompile",
      "sources": ["addon.cc"],
      "defines": ["NAPI_VERSION=8"],
      "conditions": [
        # Missing symbols, of another V8, make loading fail instead of killing the process later.
        # Small, since every start reads all of it to compare its checksum.
        ["OS=='linux'", {
          "cflags!": ["-O3"],
          "cflags": ["-Os", "-ffunction-sections"],
          "ldflags": ["-s", "-Wl,-z,now", "-Wl,-z,noseparate-code", "-Wl,--gc-sections"]
        }]
      ]
    }
  ]
}
