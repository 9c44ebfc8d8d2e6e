/* The words of the schema language, and how names are spelt. */
#include <ctype.h>

#include "gen.h"

const struct prim_name prim_names[P_COUNT] = {
    [P_BOOL] = {"bool", "WIRE_BOOL", "bool", "struct wire_bools"},
    [P_INT8] = {"int8", "WIRE_INT8", "int8_t", "struct wire_int8s"},
    [P_INT16] = {"int16", "WIRE_INT16", "int16_t", "struct wire_int16s"},
    [P_UINT16] = {"uint16", "WIRE_UINT16", "uint16_t", "struct wire_uint16s"},
    [P_INT32] = {"int32", "WIRE_INT32", "int32_t", "struct wire_int32s"},
    [P_UINT32] = {"uint32", "WIRE_UINT32", "uint32_t", "struct wire_uint32s"},
    [P_INT64] = {"int64", "WIRE_INT64", "int64_t", "struct wire_int64s"},
    [P_FLOAT64] = {"float64", "WIRE_FLOAT64", "double", "struct wire_float64s"},
    [P_UUID] = {"uuid", "WIRE_UUID", "struct uuid", "struct wire_uuids"},
    [P_STRING] = {"string", "WIRE_STRING", "struct wire_str", "struct wire_strs"},
    [P_BYTES] = {"bytes", "WIRE_BYTES", "struct wire_bytes", "struct wire_bytess"},
    [P_RECORDS] = {"records", "WIRE_RECORDS", "struct wire_bytes", "struct wire_bytess"},
    [P_STRUCT] = {"struct", "WIRE_STRUCT", NULL, NULL},
};

const struct family families[] = {
    {"data", NULL, "data"},
    {"metadata", NULL, "metadata"},
    {"control", NULL, "control"},
    {"group", "key", "group_key"},
    {"group", "value", "group_value"},
    {"txn", "key", "txn_key"},
    {"txn", "value", "txn_value"},
    {"share", "key", "share_key"},
    {"share", "value", "share_value"},
    [FAMILY_REQUEST] = {"api", "request", "request"},
    [FAMILY_RESPONSE] = {"api", "response", "response"},
};
const int family_count = sizeof(families) / sizeof(families[0]);

bool
range_has(struct range r, int v)
{
	return v >= r.min && v <= r.max;
}

void
gen_snake(char out[GEN_NAME_MAX], const char *camel)
{
	size_t n = 0;

	for (const char *c = camel; *c != '\0' && n + 2 < GEN_NAME_MAX; c++) {
		if (isupper((unsigned char)*c) && c != camel)
			out[n++] = '_';
		out[n++] = (char)tolower((unsigned char)*c);
	}
	out[n] = '\0';
}

void
gen_camel(char out[GEN_NAME_MAX], const char *snake)
{
	size_t n = 0;

	for (const char *c = snake; *c != '\0'; c++)
		if (*c == '_')
			out[n++] = (char)toupper((unsigned char)*++c);
		else
			out[n++] = *c;
	out[n] = '\0';
}
