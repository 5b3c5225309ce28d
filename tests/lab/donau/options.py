"""The options of dsub, djob and dkill in two generations. A word that the own generation lacks is refused."""


class Refused(Exception):
    """What a command says when it does nothing; code: its exit status."""

    def __init__(self, text: str, code: int = 1):
        super().__init__(text)
        self.text, self.code = text, code


#: long name → the words that mean it; those of DSUB, DJOB and DKILL take a value, those of FLAGS none
DSUB = {
    "hpc22": {
        "name": ("-n", "--name"), "queue": ("-q",), "account": ("-A",), "resource": ("-R",), "replicas": ("-N",),
        "per_node": ("-tpn",), "nodes": ("-nn",), "wall": ("-T",), "out": ("-o",), "out_over": ("-oo",),
        "err": ("-e",), "err_over": ("-eo",), "script": ("-s",), "workdir": ("-EP", "--execPath"), "env": ("-x",),
        "exclusive": ("-ex",), "text": ("-d",), "priority": ("-p",),
    },
    "kit24": {
        "name": ("-n", "--name"), "queue": ("-q", "--queue"), "account": ("-A", "--account"),
        "resource": ("-R", "--resource"), "replicas": ("-N", "--replica"), "per_node": ("-rpn", "--replica-per-node"),
        "nodes": ("-nn", "--nnodes"), "wall": ("-T",), "out": ("-o",), "out_over": ("-oo",), "err": ("-e",),
        "err_over": ("-eo",), "script": ("-s", "--script"), "workdir": ("--cwd",), "exclusive": ("-x",),
        "labels": ("--label",), "mpi": ("--mpi",),
    },
}  # fmt: skip
DJOB = {
    "hpc22": {"user": ("-u",), "state": ("-s",), "queue": ("-q",), "name": ("-n",), "time": ("-t",), "from": ("-st",),
              "to": ("-et",), "columns": ("-CO",), "kill": ("-T",), "suspend": ("-S",), "resume": ("-R",)},
    "kit24": {"user": ("-u",), "state": ("-s",), "queue": ("-q",), "name": ("-n",), "columns": ("-CO",),
              "shown": ("-o",)},
}  # fmt: skip
FLAGS = {
    ("dsub", "hpc22"): {"help": ("-h", "--help"), "json": ("-J", "--json")},
    ("dsub", "kit24"): {"help": ("-h", "--help"), "json": ("-J", "--json")},
    ("djob", "hpc22"): {"custom": ("-x",)},
    ("djob", "kit24"): {"custom": ("-x",), "past": ("-D",), "bare": ("--no-header",)},
    ("dkill", "kit24"): {"yes": ("-y",), "force": ("--force",)},
}


def parse(program: str, generation: str, words: list[str]) -> tuple[dict, list[str]]:
    """Return (long name → value or True, what is left). After the script of dsub come its own words."""
    takes = {"dsub": DSUB, "djob": DJOB}.get(program, {}).get(generation, {})
    values = {word: name for name, spellings in takes.items() for word in spellings}
    flags = {word: name for name, spellings in FLAGS.get((program, generation), {}).items() for word in spellings}
    found, left, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if word in flags:
            found[flags[word]] = True
        elif word in values:
            if not words:
                raise Refused(f"error: option {word} needs a value")
            found[values[word]] = words.pop(0)
            if values[word] == "script":
                return found, words
        elif word.startswith("-"):
            raise Refused(f"error: unknown option {word}\n{usage(program, generation)}")
        else:
            left.append(word)
    return found, left


def usage(program: str, generation: str) -> str:
    takes = {"dsub": DSUB, "djob": DJOB}.get(program, {}).get(generation, {})
    lines = [
        f"usage: {program} [options]",
        *(f"  {', '.join(spellings)} <{name}>" for name, spellings in takes.items()),
    ]
    return "\n".join(lines) + "\n"
