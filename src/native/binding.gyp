{
  "targets": [
    {
      "target_name": "wasm_precompile",
      "sources": ["addon.cc"],
      "defines": ["NAPI_VERSION=8"],
      "conditions": [
        # Missing symbols, of another V8, make loading fail instead of killing the process later.
        # No symbols but its own, which another version in the same process could take for those of the other.
        # Small, since every start reads all of it to compare its checksum.
        ["OS=='linux'", {
          "cflags!": ["-O3"],
          "cflags": ["-Os", "-ffunction-sections", "-fvisibility=hidden"],
          "ldflags": ["-s", "-Wl,-z,now", "-Wl,-z,noseparate-code", "-Wl,--gc-sections", "-Wl,-z,nodelete", "-Wl,-Bsymbolic"]
        }],
        ["OS=='mac'", { "xcode_settings": { "GCC_SYMBOLS_PRIVATE_EXTERN": "YES" } }]
      ]
    }
  ]
}
