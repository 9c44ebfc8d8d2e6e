#include "cli/nearest.h"

#include <string.h>

#include "base/text.h"

void
nearest_init(struct nearest *n, const char *word)
{
	n->word = word;
	n->best = NULL;
	n->distance = 1 + (strlen(word) + 2) / 3;
}

void
nearest_try(struct nearest *n, const char *candidate)
{
	size_t len = strlen(n->word);
	size_t distance = text_distance(n->word, candidate, n->distance);

	/* An abbreviation is nearer than any misspelling but one letter. */
	if (len >= 2 && strncmp(n->word, candidate, len) == 0 && distance > 1)
		distance = 1;
	if (distance >= n->distance)
		return;
	/* Of a short word half may be left, by chance: f1 and n1, nope and copy. */
	if (distance * 2 >= len && n->word[0] != candidate[0])
		return;
	n->distance = distance;
	n->best = candidate;
}
