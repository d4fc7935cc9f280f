"""Tests that run once per case."""


def cases(**arguments):
    """The test runs once for each: cases(small=(3, 4)) calls it with (3, 4) under the name test[small]."""

    def mark(test):
        test.cases = arguments
        return test

    return mark
