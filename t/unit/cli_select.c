/* select: which names the words of a command line mean. */
#include "tap.h"

#include "cli/select.h"
#include "cli/tools.h"

static const char *const names[] = {"__consumer_offsets", "orders", "orders.eu", "payments"};

/* The names that the words mean, each with a space behind it. */
static const char *
selected(int argc, const char *const *words, int flags, struct outcome *outcome)
{
	static char text[ERR_TEXT_MAX];
	struct selection s;
	struct options o;
	struct err err = {.code = 0};

	options_parse(&o, &tool_topics, argc, (char **)(uintptr_t)words, &err);
	text[0] = '\0';
	if (selection_init(&s, &o, 't', flags, "topic", &err) == -1) {
		snprintf(text, sizeof(text), "%s", err.text);
	} else {
		for (size_t i = 0; i < 4; i++)
			if (selection_has(&s, names[i]))
				snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
				    names[i]);
		selection_tell_unmatched(&s, names, 4, ERR_UNKNOWN_TOPIC_OR_PARTITION, outcome);
	}
	selection_release(&s);
	options_release(&o);
	return text;
}

#define WORDS(...) \
	(int)(sizeof((const char *[]){"mq-topics", "list", __VA_ARGS__}) / sizeof(char *)), \
	    (const char *[]){"mq-topics", "list", __VA_ARGS__}

static void
words(void)
{
	struct outcome none = {.failed = 0};

	is_str(selected(2, (const char *[]){"mq-topics", "list"}, SELECT_OPERANDS, &none),
	    "__consumer_offsets orders orders.eu payments ", "no words mean everything");
	is_str(selected(WORDS("orders"), SELECT_OPERANDS, &none), "orders ", "a name means itself");
	is_str(selected(WORDS("-t", "payments", "orders"), SELECT_OPERANDS, &none),
	    "orders payments ", "options and operands add up");
	is_str(selected(WORDS("*"), SELECT_OPERANDS, &none), "orders orders.eu payments ",
	    "a glob passes over what begins with __");
	is_str(selected(WORDS("__*"), SELECT_OPERANDS, &none), "__consumer_offsets ",
	    "unless it begins with _");
	is_str(selected(WORDS("^orders"), SELECT_OPERANDS, &none), "orders orders.eu ",
	    "an expression begins at the beginning and ends anywhere");
	is_str(selected(WORDS("^(orders|payments)$"), SELECT_OPERANDS, &none), "orders payments ",
	    "it is an extended one");
	is_str(selected(WORDS("__consumer_offsets"), SELECT_OPERANDS, &none),
	    "__consumer_offsets ", "a name means itself whatever it begins with");
	is_int((intmax_t)none.failed, 0, "and all words meant something");
}

static void
nothing_meant(void)
{
	struct outcome one = {.failed = 0}, two = {.failed = 0}, three = {.failed = 0};

	is_str(selected(WORDS("order"), SELECT_OPERANDS, &one), "", "a name that is not there");
	is_int(outcome_status(&one), EXIT_NOINPUT, "ends with 66");
	is_str(selected(WORDS("x*", "^y"), SELECT_OPERANDS, &two), "", "patterns that match nothing");
	is_int((intmax_t)two.failed, 2, "are told each");
	is_str(selected(WORDS("o*"), SELECT_OPERANDS | SELECT_NAMES, &three), "",
	    "where names are wanted a glob is one");
	is_str(selected(WORDS("^("), SELECT_OPERANDS, &one), "topic '^(': Unmatched ( or \\(",
	    "a bad expression is refused");
	is_str(selected(WORDS(""), SELECT_OPERANDS, &one), "an empty name of a topic",
	    "and so is an empty word");
}

static void
outcomes(void)
{
	struct outcome o = {.failed = 0};
	struct err err;

	err_set(&err, ERR_REFUSED, "no");
	is_int(outcome_status(&o), EXIT_OK, "nothing to do is done");
	outcome_fail(&o, &err);
	is_int(outcome_status(&o), EXIT_REFUSED, "all failed: as the first did");
	outcome_done(&o);
	is_int(outcome_status(&o), EXIT_PARTLY, "some failed: 3");
}

int
main(void)
{
	report_init("test");
	report_set_level(OS_ERROR);
	words();
	nothing_meant();
	outcomes();
	return tap_done();
}
