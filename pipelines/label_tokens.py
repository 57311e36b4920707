"""A label's tokens, bounded: pvl reads some damaged labels for ever.

Where the end of an object tells another name than its beginning, its parser
gives a token back and takes it again without end.
"""

from typing import Any, Self

from marsgan_tf import errors

# Whole labels take less than 2.
_MOST_PER_CHARACTER = 20
_LEAST = 1000


class BoundedTokens:
    """What pvl asks of its lexer's generator.

    Args:
        tokens: The generator.
        characters: Of the label.
    """

    def __init__(self, tokens: Any, characters: int) -> None:
        self._tokens = tokens
        self._left = _LEAST + _MOST_PER_CHARACTER * characters

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self._left -= 1
        if self._left < 0:  # No ValueError, which the parser goes on after.
            raise errors.RasterError("it does not end")
        return next(self._tokens)

    def send(self, token: Any) -> Any:
        """Gives a token back."""
        return self._tokens.send(token)

    def throw(self, *error: Any) -> Any:
        """Tells the lexer of an error."""
        return self._tokens.throw(*error)


def lexer(text: str, **options: Any) -> BoundedTokens:
    """In the place of pvl's own."""
    import pvl.lexer

    return BoundedTokens(pvl.lexer.lexer(text, **options), len(text))
