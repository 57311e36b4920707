"""What TensorFlow's errors say, in one line."""


def reason(error):
    """The first line of an error, without the operation's path."""
    return str(error).strip().splitlines()[0].rpartition("}} ")[2][:200]
