/*
 * nearest: "did you mean", for options, commands, configuration keys, topics.
 */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* The best candidate so far for a word that was not understood. Both strings
 * stay the caller's. */
struct nearest {
	const char *word, *best; /* best: NULL while none is near enough */
	size_t distance;
};

void nearest_init(struct nearest *n, const char *word);

/* Offers a candidate. It counts if it begins with the word (of two letters or
 * more), or lies within a third of the word's length in edits; where that is half
 * of the word, only if the first letters are the same. */
void nearest_try(struct nearest *n, const char *candidate);

#endif
