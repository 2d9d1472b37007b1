"""Implements the interface `greeter`. The host turns HTTP requests into calls of its functions, as
weft.yaml describes. `weft build` makes the module wit_world from the folder wit."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.greeter import (
    Greeting,
    GreetingError_BlankName,
    GreetingError_LongName,
    Language,
)

from greeting import NAME_CHARACTERS_MAX, BlankName, LongName, greeting


class Greeter(exports.Greeter):
    def greet(self, name: str, language: Language | None) -> Greeting:
        language = Language.ENGLISH if language is None else language
        try:
            text = greeting(name, language.name)
        except BlankName:
            raise Err(GreetingError_BlankName())
        except LongName:
            raise Err(GreetingError_LongName(NAME_CHARACTERS_MAX))
        # Standard output is in `weft logs`.
        print(f"greeting {name}", flush=True)
        return Greeting(text=text, language=language)
