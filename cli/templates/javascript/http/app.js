// Implements the interface `greeter`. The host turns HTTP requests into calls of its functions, as
// `weft.yaml` describes. Errors of WIT are thrown.

// The maximum number of characters in a name.
const NAME_CHARACTERS_MAX = 40;

const HELLO = { english: 'Hello', german: 'Hallo', spanish: 'Hola' };

export const greeter = {
  greet(name, language = 'english') {
    const trimmed = name.trim();
    if (trimmed === '') {
      throw { tag: 'blank-name' };
    }
    if ([...trimmed].length > NAME_CHARACTERS_MAX) {
      throw { tag: 'long-name', val: NAME_CHARACTERS_MAX };
    }
    // Standard output is in `weft logs`.
    console.log(`greeting ${trimmed}`);
    return { text: `${HELLO[language]}, ${trimmed}!`, language };
  },
};
