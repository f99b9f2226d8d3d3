"""Every error that jdcodec raises on purpose, as one small family.

Each message is one line that says what was wrong and, where it helps, what to do. The command line
prints it and leaves with status 1, for an `OptionError` with 2; anything that is not a `JdcError` is a bug.
"""


def first_line(error: BaseException) -> str:
    """What an error of a library says first, for a message of ours; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class JdcError(Exception):
    """Base of all errors that the input, the data or the environment can cause."""


class OptionError(JdcError):
    """What was asked for cannot be, whatever the files are."""


class PhotoError(JdcError):
    """A photograph cannot be read, or cannot be written in the form asked for."""


class FormatError(JdcError):
    """Bytes are not a `.jdc` file, or one that this version must refuse."""


class DamagedError(FormatError):
    """Bytes were a `.jdc` file once: a checksum, a length or a symbol does not hold."""


class LimitError(JdcError):
    """A size is beyond the format's limit or the caller's."""


class ModelError(JdcError):
    """Weights are missing, unreadable, or not the ones that a file needs."""


class OutputError(JdcError):
    """An output exists already or cannot be written."""


class TrainingError(JdcError):
    """A recipe, a data set or a checkpoint cannot be trained with."""


class ClusterError(JdcError):
    """A scheduler, its workers, a store of files or a manifest cannot be used."""
