// Run with: cc -o build/test test_greeting.c && build/test

#undef NDEBUG
#include <assert.h>

#include "greeting.h"

int main(void) {
  const char *name = "  Ada ";
  size_t length = strlen(name);
  trim(&name, &length);
  assert(length == 3 && strncmp(name, "Ada", 3) == 0);
  assert(check_name(name, length) == NAME_GOOD);
  assert(check_name("", 0) == NAME_BLANK);

  char text[41];
  memset(text, 'a', sizeof text);
  assert(check_name(text, 41) == NAME_LONG);
  assert(strcmp(hello(GERMAN), "Hallo") == 0);
  return 0;
}
