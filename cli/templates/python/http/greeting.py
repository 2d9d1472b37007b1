"""The logic of greetings, without the bindings: test_greeting.py tests it."""

# The maximum number of characters in a name.
NAME_CHARACTERS_MAX = 40

HELLO = {"ENGLISH": "Hello", "GERMAN": "Hallo", "SPANISH": "Hola"}


class BlankName(Exception):
    """The name is blank."""


class LongName(Exception):
    """The name has more than NAME_CHARACTERS_MAX characters."""


def greeting(name: str, language: str) -> str:
    """Greets a person in a language of HELLO."""
    name = name.strip()
    if not name:
        raise BlankName
    if len(name) > NAME_CHARACTERS_MAX:
        raise LongName
    return f"{HELLO[language]}, {name}!"
