#include "deserialization.h"

bool PassesCheck(napi_env env, napi_value check) {
  napi_value receiver, checked;
  napi_valuetype type;
  bool passes = false;
  if (napi_typeof(env, check, &type) == napi_ok && type == napi_undefined) return true;
  return napi_get_undefined(env, &receiver) == napi_ok &&
         napi_call_function(env, receiver, check, 0, nullptr, &checked) == napi_ok &&
         napi_get_value_bool(env, checked, &passes) == napi_ok && passes;
}

napi_value MakeResult(napi_env env, napi_value module, bool accepted) {
  napi_value result, value;
  napi_create_object(env, &result);
  napi_get_boolean(env, accepted, &value);
  napi_set_named_property(env, result, "accepted", value);
  napi_set_named_property(env, result, "module", module);
  return result;
}
