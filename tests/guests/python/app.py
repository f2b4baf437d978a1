"""A component that knows nothing of cortex-wasm: most of its functions return what they were given.

Each asserts that its arguments are what Python makes of their WIT types, so that a value of the wrong type which happens to
print the same does not pass.
"""

import sys

from accounts import Account
from componentize_py_types import Err
from wit_world import Everything, WitWorld as World
from wit_world.exports import Accounts, Echo
from wit_world.exports.echo import Failure
from wit_world.imports.types import Access, Color, Point


class Echo(Echo):
    def __init__(self):
        self.answered = 0

    def integers(self, a, b, c, d, e, f, g, h):
        assert all(type(value) is int for value in (a, b, c, d, e, f, g, h))
        return (a, b, c, d, e, f, g, h)

    def floats(self, single, double):
        assert type(single) is float and type(double) is float
        return (single, double)

    def texts(self, flag, letter, text):
        assert type(flag) is bool and len(letter) == 1 and type(text) is str
        return (flag, letter, text)

    def lists(self, bytes, words):
        return (bytes, words)

    def pair(self, value):
        assert type(value[0]) is int and type(value[1]) is str
        return value

    def options(self, plain, nested):
        return (plain, nested)

    def results(self, full, half, empty):
        return (full, half, empty)

    def a_point(self, value):
        assert type(value) is Point
        return value

    def a_shape(self, value):
        return value

    def a_color(self, value):
        assert type(value) is Color
        return value

    def an_access(self, value):
        assert type(value) is Access
        return value

    def divide(self, dividend, divisor):
        if divisor == 0:
            raise Err(Failure("division by zero", dividend))
        return divmod(dividend, divisor)

    def check(self, good):
        if not good:
            raise Err("it is not good")

    def nothing(self):
        pass

    def crash(self, message):
        print(message, file=sys.stderr)
        raise RuntimeError(message)

    def letters(self, count):
        return "x" * count

    def calls(self):
        self.answered += 1
        return self.answered


class Accounts(Accounts):
    def open(self, owner):
        return Account(owner)

    def close(self, account):
        pass


class WitWorld(World):
    def all_kinds(self, value):
        assert type(value) is Everything
        return value

    def locate(self, x, y):
        return f"({x}, {y})"
