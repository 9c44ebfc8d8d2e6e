#include "cli/print.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/tool.h"

#define GAP "  "

int
print_init(struct print *p, const struct column *columns, size_t column_count, enum print_mode mode,
    bool heading, FILE *out, struct err *err)
{
	*p = (struct print){.columns = columns,
	    .column_count = column_count,
	    .mode = mode,
	    .heading = heading,
	    .out = out};
	p->widths = calloc(column_count, sizeof(p->widths[0]));
	if (p->widths == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < column_count && heading; i++)
		p->widths[i] = strlen(columns[i].name);
	if (heading && mode == PRINT_TSV)
		for (size_t i = 0; i < column_count; i++)
			fprintf(out, "%s%c", columns[i].name, i + 1 < column_count ? '\t' : '\n');
	return 0;
}

int
print_init_stdout(struct print *p, const struct column *columns, size_t column_count,
    const struct options *o, struct err *err)
{
	bool is_terminal = isatty(STDOUT_FILENO) == 1;
	enum print_mode mode = options_has(o, 'J') ? PRINT_JSON
			       : is_terminal	   ? PRINT_ALIGNED
						   : PRINT_TSV;
	bool heading = mode != PRINT_JSON && (is_terminal || options_has(o, OPT_HEADING));

	if (print_init(p, columns, column_count, mode, heading, stdout, err) == -1)
		return -1;
	p->color = tool_color(o, STDOUT_FILENO);
	return 0;
}

void
print_release(struct print *p)
{
	buf_release(&p->row);
	free(p->widths);
	p->widths = NULL;
}

/* --- cells -------------------------------------------------------------------- */

static size_t
text_width(const uint8_t *s, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += (s[i] & 0xc0) != 0x80;
	return width;
}

/* What goes in front of a cell; in JSON its key. */
static void
cell_begin(struct print *p)
{
	assert(p->cell < p->column_count);
	if (p->mode == PRINT_JSON) {
		buf_str(&p->row, p->cell == 0 ? "{" : ",");
		json_string_put(
		    &p->row, p->columns[p->cell].name, strlen(p->columns[p->cell].name));
		buf_str(&p->row, ":");
	} else if (p->mode == PRINT_TSV && p->cell > 0) {
		buf_str(&p->row, "\t");
	}
}

/* Aligned cells end with a NUL, which no escaped text contains. */
static void
cell_end(struct print *p, size_t start)
{
	if (p->mode == PRINT_ALIGNED && !p->row.failed) {
		size_t width = text_width(p->row.data + start, p->row.len - start);

		if (width > p->widths[p->cell])
			p->widths[p->cell] = width;
		buf_put(&p->row, "", 1);
	}
	p->cell++;
}

void
print_nothing(struct print *p)
{
	size_t start;

	cell_begin(p);
	start = p->row.len;
	buf_str(&p->row, p->mode == PRINT_JSON ? "null" : "-");
	cell_end(p, start);
}

void
print_bytes(struct print *p, const void *data, size_t len)
{
	size_t start;

	if (data == NULL || (len == 0 && p->mode != PRINT_JSON)) {
		print_nothing(p);
		return;
	}
	cell_begin(p);
	start = p->row.len;
	if (p->mode == PRINT_JSON)
		json_lossy_put(&p->row, data, len);
	else
		escape_put(&p->row, data, len, 0);
	cell_end(p, start);
}

void
print_text(struct print *p, const char *s)
{
	print_bytes(p, s, s != NULL ? strlen(s) : 0);
}

void
print_int(struct print *p, int64_t v)
{
	size_t start;

	cell_begin(p);
	start = p->row.len;
	decimal_put(&p->row, v);
	cell_end(p, start);
}

void
print_seconds(struct print *p, int64_t ms)
{
	uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	size_t start;

	cell_begin(p);
	start = p->row.len;
	buf_printf(&p->row, "%s%llu.%03u", ms < 0 ? "-" : "", (unsigned long long)(size / 1000),
	    (unsigned)(size % 1000));
	cell_end(p, start);
}

void
print_bool(struct print *p, bool v)
{
	size_t start;

	cell_begin(p);
	start = p->row.len;
	buf_str(&p->row, v ? "true" : "false");
	cell_end(p, start);
}

void
print_ints(struct print *p, const int32_t *list, size_t count)
{
	size_t start;

	if (count == 0 && p->mode != PRINT_JSON) {
		print_nothing(p);
		return;
	}
	cell_begin(p);
	start = p->row.len;
	if (p->mode == PRINT_JSON)
		buf_str(&p->row, "[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_str(&p->row, ",");
		decimal_put(&p->row, list[i]);
	}
	if (p->mode == PRINT_JSON)
		buf_str(&p->row, "]");
	cell_end(p, start);
}

/* --- rows --------------------------------------------------------------------- */

int
print_row(struct print *p, struct err *err)
{
	assert(p->cell == p->column_count);
	p->cell = 0;
	p->row_count++;
	if (p->row.failed)
		return err_nomem(err);
	if (p->mode == PRINT_ALIGNED)
		return 0;
	buf_str(&p->row, p->mode == PRINT_JSON ? "}\n" : "\n");
	if (p->row.failed)
		return err_nomem(err);
	fwrite(p->row.data, 1, p->row.len, p->out);
	buf_clear(&p->row);
	return 0;
}

static void
aligned_cell(struct print *p, size_t column, const char *text, const char *line_end)
{
	size_t width = text_width((const uint8_t *)text, strlen(text));
	int pad = (int)(p->widths[column] - width);
	bool last = column + 1 == p->column_count;

	if (p->columns[column].right)
		fprintf(p->out, "%*s%s", pad, "", text);
	else
		fprintf(p->out, "%s%*s", text, last ? 0 : pad, "");
	fputs(last ? line_end : GAP, p->out);
}

static void
aligned_heading(struct print *p)
{
	fputs(p->color ? "\033[1m" : "", p->out);
	for (size_t i = 0; i < p->column_count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s", p->columns[i].name);
		for (char *c = name; *c != '\0'; c++)
			*c = (char)toupper((unsigned char)*c);
		aligned_cell(p, i, name, p->color ? "\033[0m\n" : "\n");
	}
}

static int
print_aligned(struct print *p, struct err *err)
{
	const char *at = (const char *)p->row.data;

	if (p->row.failed)
		return err_nomem(err);
	if (p->mode != PRINT_ALIGNED)
		return 0;
	if (p->heading && p->row_count > 0)
		aligned_heading(p);
	for (size_t row = 0; row < p->row_count; row++)
		for (size_t i = 0; i < p->column_count; i++) {
			aligned_cell(p, i, at, "\n");
			at += strlen(at) + 1;
		}
	return 0;
}

int
print_end(struct print *p, struct err *err)
{
	int ret = print_aligned(p, err);

	print_release(p);
	return ret;
}
