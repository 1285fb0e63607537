#include "napi_values.h"

#include <cerrno>
#include <cstring>

std::string GetString(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

Segment GetSegment(napi_env env, napi_value range) {
  napi_value number;
  int64_t offset = 0, size = 0;
  if (napi_get_named_property(env, range, "offset", &number) == napi_ok) napi_get_value_int64(env, number, &offset);
  if (napi_get_named_property(env, range, "size", &number) == napi_ok) napi_get_value_int64(env, number, &size);
  return {static_cast<uint64_t>(offset), static_cast<uint64_t>(size)};
}

std::vector<Segment> GetSegments(napi_env env, napi_value array) {
  uint32_t count = 0;
  napi_get_array_length(env, array, &count);
  std::vector<Segment> segments;
  for (uint32_t i = 0; i < count; i++) {
    napi_value range;
    if (napi_get_element(env, array, i, &range) == napi_ok) segments.push_back(GetSegment(env, range));
  }
  return segments;
}

void SetNumber(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

napi_value MakeOpenError(napi_env env, const std::string& path, int code) {
  napi_value message, error;
  std::string text = "cannot open " + path + ": ";
#ifdef _WIN32
  text += "error " + std::to_string(code);
#else
  text += strerror(code);
#endif
  napi_create_string_utf8(env, text.c_str(), text.size(), &message);
  napi_create_error(env, nullptr, message, &error);
#ifndef _WIN32
  napi_value name;
  napi_create_string_utf8(env, code == ENOENT ? "ENOENT" : code == EACCES ? "EACCES" : "EIO", NAPI_AUTO_LENGTH, &name);
  napi_set_named_property(env, error, "code", name);
#endif
  return error;
}
