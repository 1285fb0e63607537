{
  "targets": [
    {
      "target_name": "wasm_precompile",
      "sources": [
        "addon.cc",
        "address_space.cc",
        "clock.cc",
        "contents.cc",
        "crc32.cc",
        "deserialization.cc",
        "deserialization_worker.cc",
        "file_view.cc",
        "file_view_posix.cc",
        "file_view_windows.cc",
        "fill_memory.cc",
        "map_file.cc",
        "mapping.cc",
        "memory_filler.cc",
        "napi_values.cc",
        "page_dropper.cc",
        "prefetch.cc",
        "prepared_heap.cc",
        "probes.cc",
        "v8_embedder_api.cc",
        "v8_natives.cc"
      ],
      "defines": ["NAPI_VERSION=8"],
      "conditions": [
        # -z now: loading fails if symbols are missing, as those of another V8, instead of killing the process later.
        # Hidden symbols and -Bsymbolic: another version of the addon in the same process cannot take this one's.
        # Small, since every startup reads the whole binary to compare its checksum. Unwind tables would be an eighth of
        # it, for exceptions that the addon is compiled without.
        ["OS=='linux'", {
          "cflags!": ["-O3"],
          "cflags": ["-Os", "-ffunction-sections", "-fvisibility=hidden", "-fno-asynchronous-unwind-tables"],
          "ldflags": [
            "-s",
            "-Wl,-z,now",
            "-Wl,-z,noseparate-code",
            "-Wl,--gc-sections",
            "-Wl,-z,nodelete",
            "-Wl,-Bsymbolic"
          ]
        }],
        ["OS=='mac'", { "xcode_settings": { "GCC_SYMBOLS_PRIVATE_EXTERN": "YES" } }]
      ]
    }
  ]
}
