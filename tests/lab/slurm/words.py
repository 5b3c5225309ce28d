"""How Slurm's commands read their words and write times: shared by scontrol and the others."""

import time


class Told(Exception):
    """What a command writes to its standard error before it ends with `code`; `out`: what it wrote before."""

    def __init__(self, err: str, code: int = 1, out: str = ""):
        super().__init__(err)
        self.err, self.code, self.out = err, code, out


def options(program: str, words: list[str], takes: dict[str, str], flags: dict[str, str]) -> tuple[dict, list]:
    """Return (options by long name, what is left). takes, flags: short letter or "" → long name, by long name.

    >>> options("squeue", ["-hn", "a", "--user=b", "c"], {"name": "n", "user": "u"}, {"noheader": "h"})
    ({'noheader': True, 'name': 'a', 'user': 'b'}, ['c'])
    """
    shorts = {letter: name for name, letter in {**takes, **flags}.items() if letter}
    found, left, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if name in flags and not equals:
                found[name] = True
            elif name in takes:
                found[name] = value if equals else _next(program, words, word)
            else:
                raise Told(f"/usr/bin/{program}: unrecognized option '{word}'\n"
                           f'Try "{program} --help" for more information\n', 255)  # fmt: skip
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            while letters:
                name, letters = shorts.get(letters[0]), letters[1:]
                if name is None:
                    raise Told(f"{program}: invalid option -- '{word[1:]}'\n", 255)
                if name in flags:
                    found[name] = True
                    continue
                found[name] = letters.removeprefix("=") or _next(program, words, word)
                letters = ""
        else:
            left.append(word)
    return found, left


def _next(program: str, words: list[str], word: str) -> str:
    if not words:
        raise Told(f"{program}: option '{word}' requires an argument\n", 255)
    return words.pop(0)


def local(epoch: float, offset_s: int, unknown: str = "Unknown") -> str:
    """Write a time as the zone of the caller has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch + offset_s)) if epoch else unknown


def span(seconds: float) -> str:
    """Write a duration as scontrol does: ``00:30:00``, ``2-00:00:00``."""
    days, rest = divmod(int(seconds), 86400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock


def short_span(seconds: float) -> str:
    """Write a duration as squeue does: ``0:00``, ``5:00``, ``1:00:00``."""
    days, rest = divmod(int(seconds), 86400)
    if days or rest >= 3600:
        return span(seconds).removeprefix("0") if not days else span(seconds)
    return f"{rest // 60}:{rest % 60:02d}"
