"""As much PromQL as the product asks: selectors, arithmetic, comparisons, timestamp, rate, sum avg max min count by."""

import operator
import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"\s*(?:(\d+[smh]?(?:\.\d+)?)|([A-Za-z_:][\w:]*)"
    r'|("(?:[^"\\]|\\.)*")|(=~|!~|==|!=|[-+*/()<>{}\[\],=]))'
)
AGGREGATE = {"sum": sum, "avg": lambda v: sum(v) / len(v), "max": max, "min": min, "count": len}
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
COMPARE = {"==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt}


class BadQuery(Exception):
    """What Prometheus calls bad_data."""


@dataclass(frozen=True)
class Sample:
    """One series now. at: the time of the sample; rate: of a counter, a second."""

    labels: dict
    value: float
    at: float
    rate: float | None = None

    @property
    def about(self):
        return frozenset(pair for pair in self.labels.items() if pair[0] != "__name__")

    def with_value(self, value):
        return Sample(dict(self.about), value, self.at)


def tokens(text):
    found, place = [], 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if not match:
            raise BadQuery(f"parse error: unexpected {text[place:].strip()[0]!r}")
        found.append(match[0].strip())
        place = match.end()
    return found


class Query:
    """One expression over a list of samples."""

    def __init__(self, text, samples):
        self._words, self._samples = tokens(text), samples

    def result(self):
        """Return a number or a list of Samples."""
        found = self._compared()
        if self._words:
            raise BadQuery(f"parse error: unexpected {self._words[0]!r}")
        return found

    def _next(self, *expected):
        if not self._words or (expected and self._words[0] not in expected):
            raise BadQuery("parse error: unexpected end or word")
        return self._words.pop(0)

    def _at(self, *words):
        return bool(self._words) and self._words[0] in words

    def _compared(self):
        left = self._sum()
        while self._at(*COMPARE):
            holds, right = COMPARE[self._next()], self._sum()
            left = [one for one in left if holds(one.value, right)]
        return left

    def _sum(self):
        left = self._product()
        while self._at("+", "-"):
            left = self._joined(self._next(), left, self._product())
        return left

    def _product(self):
        left = self._primary()
        while self._at("*", "/"):
            left = self._joined(self._next(), left, self._primary())
        return left

    @staticmethod
    def _joined(sign, left, right):
        act = ARITHMETIC[sign]
        if isinstance(left, float) and isinstance(right, float):
            return act(left, right)
        if isinstance(left, float):
            return [one.with_value(act(left, one.value)) for one in right]
        if isinstance(right, float):
            return [one.with_value(act(one.value, right)) for one in left]
        other = {one.about: one.value for one in right}
        pairs = [(one, other[one.about]) for one in left if one.about in other]
        return [one.with_value(act(one.value, value) if value or sign != "/" else float("nan")) for one, value in pairs]

    def _primary(self):
        word = self._next()
        if re.fullmatch(r"\d.*", word):
            return float(word)
        if word == "(":
            return self._closed()
        if word in AGGREGATE and self._at("by", "("):
            return self._aggregate(AGGREGATE[word])
        if word in ("timestamp", "rate") and self._at("("):
            self._next("(")
            rows = self._closed()
            value = (lambda one: one.at) if word == "timestamp" else (lambda one: one.rate)
            return [one.with_value(value(one)) for one in rows if value(one) is not None]
        if not re.fullmatch(r"[A-Za-z_:][\w:]*", word):
            raise BadQuery(f"parse error: unexpected {word!r}")
        return self._selector(word)

    def _closed(self):
        found = self._compared()
        self._next(")")
        return found

    def _aggregate(self, act):
        by = []
        if self._at("by"):
            self._next()
            self._next("(")
            while not self._at(")"):
                by.append(self._next())
                if self._at(","):
                    self._next()
            self._next(")")
        self._next("(")
        groups = {}
        for one in self._closed():
            about = frozenset((name, one.labels[name]) for name in by if name in one.labels)
            groups.setdefault(about, []).append(one)
        return [Sample(dict(about), float(act([o.value for o in rows])), rows[0].at) for about, rows in groups.items()]

    def _selector(self, name):
        tests = []
        if self._at("{"):
            self._next()
            while not self._at("}"):
                label, sign, value = self._next(), self._next("=", "!=", "=~", "!~"), self._next()
                tests.append((label, sign, value[1:-1].encode().decode("unicode_escape")))
                if self._at(","):
                    self._next()
            self._next("}")
        if self._at("["):
            while self._next() != "]":
                pass
        rows = (one for one in self._samples if one.labels["__name__"] == name)
        return [one for one in rows if all(_fits(one.labels, *test) for test in tests)]


def _fits(labels, label, sign, value):
    have = labels.get(label, "")
    held = bool(re.fullmatch(value, have)) if "~" in sign else have == value
    return held != sign.startswith("!")
