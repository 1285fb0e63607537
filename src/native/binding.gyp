{
  "targets": [
    {
      "target_name": "wasm_precompile",
      "sources": ["addon.cc"],
      "defines": ["NAPI_VERSION=8"],
      "conditions": [
        # Missing symbols, of another V8, make loading fail instead of killing the process later.
        ["OS=='linux'", { "ldflags": ["-s", "-Wl,-z,now"] }]
      ]
    }
  ]
}
