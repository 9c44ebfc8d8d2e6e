/* array: how many members an array has; not for pointers. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
