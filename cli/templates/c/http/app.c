// Implements the interface `greeter`. The host turns HTTP requests into calls of its functions, as
// `weft.yaml` describes. `app.h` has the bindings, which `weft build` makes from `wit`.

#include <stdio.h>

#include "app.h"
#include "greeting.h"

// Returns true with a greeting, or false with an error.
bool exports_example_greeter_greeter_greet(
    app_string_t *name, exports_example_greeter_greeter_language_t *language,
    exports_example_greeter_greeter_greeting_t *ret,
    exports_example_greeter_greeter_greeting_error_t *err) {
  const char *text = (const char *)name->ptr;
  size_t length = name->len;
  trim(&text, &length);
  switch (check_name(text, length)) {
  case NAME_BLANK:
    err->tag = EXPORTS_EXAMPLE_GREETER_GREETER_GREETING_ERROR_BLANK_NAME;
    return false;
  case NAME_LONG:
    err->tag = EXPORTS_EXAMPLE_GREETER_GREETER_GREETING_ERROR_LONG_NAME;
    err->val.long_name = NAME_CHARACTERS_MAX;
    return false;
  case NAME_GOOD:
    break;
  }
  // Standard output is in `weft logs`.
  printf("greeting %.*s\n", (int)length, text);
  fflush(stdout);

  ret->language = language ? *language : EXPORTS_EXAMPLE_GREETER_GREETER_LANGUAGE_ENGLISH;
  char greeting[NAME_CHARACTERS_MAX * 4 + 16];
  int written = snprintf(greeting, sizeof greeting, "%s, %.*s!",
                         hello((enum language)ret->language), (int)length, text);
  app_string_dup_n(&ret->text, greeting, (size_t)written);
  app_string_free(name);
  return true;
}
