#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct own_error {
	int code;
	const char *name;
} own_errors[] = {
    {ERR_IO, "IO"},
    {ERR_NOMEM, "NOMEM"},
    {ERR_CORRUPT, "CORRUPT"},
    {ERR_FULL, "FULL"},
    {ERR_NOT_FOUND, "NOT_FOUND"},
    {ERR_EXISTS, "EXISTS"},
    {ERR_INVALID, "INVALID"},
    {ERR_BUSY, "BUSY"},
    {ERR_REFUSED, "REFUSED"},
    {ERR_NO_SPACE, "NO_SPACE"},
    {ERR_TOO_LARGE, "TOO_LARGE"},
    {ERR_CONFIG, "CONFIG"},
    {ERR_AGAIN, "AGAIN"},
    {ERR_CLOSED, "CLOSED"},
    {ERR_SERVED, "SERVED"},
};

static const struct kafka_error {
	int code;
	const char *name;
	bool retriable;
} kafka_errors[] = {
#define ERR_KAFKA(c, n, r) {c, #n, r},
#include "base/error_kafka.h"
#undef ERR_KAFKA
};

#define OWN_COUNT (sizeof(own_errors) / sizeof(own_errors[0]))
#define KAFKA_COUNT (sizeof(kafka_errors) / sizeof(kafka_errors[0]))

static const struct kafka_error *
kafka_error_find(int code)
{
	for (size_t i = 0; i < KAFKA_COUNT; i++)
		if (kafka_errors[i].code == code)
			return &kafka_errors[i];
	return NULL;
}

/* The arguments may point into `err` itself, so the text is made aside. */
__attribute__((format(printf, 4, 0))) static void
text_fill(struct err *err, size_t size, const char *tail, const char *fmt, va_list ap)
{
	char text[ERR_TEXT_MAX];
	size_t len, tail_len = strlen(tail);

	if (vsnprintf(text, size, fmt, ap) < 0)
		text[0] = '\0';
	len = strlen(text);
	if (tail_len > sizeof(text) - 1 - len)
		tail_len = sizeof(text) - 1 - len;
	memcpy(text + len, tail, tail_len);
	text[len + tail_len] = '\0';
	memcpy(err->text, text, len + tail_len + 1);
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_fill(err, ERR_TEXT_MAX, "", fmt, ap);
	va_end(ap);
	err->code = code;
	err->sys_errno = 0;
	return -1;
}

static int
sys_code(int sys_errno)
{
	switch (sys_errno) {
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case ENOMEM:
		return ERR_NOMEM;
	case ENOENT:
		return ERR_NOT_FOUND;
	default:
		return ERR_IO;
	}
}

int
err_sys(struct err *err, int sys_errno, const char *fmt, ...)
{
	const char *desc = strerrordesc_np(sys_errno);
	char tail[128];
	va_list ap;

	if (desc != NULL)
		snprintf(tail, sizeof(tail), ": %s", desc);
	else
		snprintf(tail, sizeof(tail), ": errno %d", sys_errno);
	/* The cause outlives a long text. */
	va_start(ap, fmt);
	text_fill(err, ERR_TEXT_MAX - strlen(tail), tail, fmt, ap);
	va_end(ap);
	err->code = sys_code(sys_errno);
	err->sys_errno = sys_errno;
	return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char tail[ERR_TEXT_MAX + 2] = ": ";
	va_list ap;

	memcpy(tail + 2, err->text, strlen(err->text) + 1);
	va_start(ap, fmt);
	text_fill(err, ERR_TEXT_MAX, tail, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

const char *
err_name(int code)
{
	const struct kafka_error *k = kafka_error_find(code);

	if (k != NULL)
		return k->name;
	for (size_t i = 0; i < OWN_COUNT; i++)
		if (own_errors[i].code == code)
			return own_errors[i].name;
	return "UNKNOWN";
}

bool
err_is_retriable(int code)
{
	const struct kafka_error *k = kafka_error_find(code);

	return k != NULL && k->retriable;
}
