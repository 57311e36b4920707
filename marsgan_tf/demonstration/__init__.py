"""A whole use of the package, on a generated strip or the user's own."""
