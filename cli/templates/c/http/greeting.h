// The logic of greetings, without the bindings: test_greeting.c tests it natively.
#ifndef GREETING_H
#define GREETING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// The maximum number of characters in a name.
#define NAME_CHARACTERS_MAX 40

enum language { ENGLISH, GERMAN, SPANISH };

enum verdict { NAME_GOOD, NAME_BLANK, NAME_LONG };

static inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Removes spaces at both ends of a name.
static inline void trim(const char **name, size_t *length) {
  while (*length > 0 && is_space((*name)[0])) {
    ++*name;
    --*length;
  }
  while (*length > 0 && is_space((*name)[*length - 1])) {
    --*length;
  }
}

// Checks a name of UTF-8 text.
static inline enum verdict check_name(const char *name, size_t length) {
  size_t characters = 0;
  for (size_t i = 0; i < length; i++) {
    characters += ((unsigned char)name[i] & 0xC0) != 0x80;
  }
  if (length == 0) {
    return NAME_BLANK;
  }
  return characters > NAME_CHARACTERS_MAX ? NAME_LONG : NAME_GOOD;
}

static inline const char *hello(enum language language) {
  switch (language) {
  case GERMAN:
    return "Hallo";
  case SPANISH:
    return "Hola";
  default:
    return "Hello";
  }
}

#endif
