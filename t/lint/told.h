/*
 * told: what clang's analyzer does not see from another file, namely that these
 * always return -1. Without it every `return err_set(...)` looks like a success
 * that left its results unset. Included before each file that is analyzed,
 * except the one that defines them.
 */
#include "base/error.h"

#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)
#define err_nomem(...) (err_nomem(__VA_ARGS__), -1)
