"""sacctmgr, as far as limits of accounts go: ``modify account``, and ``show`` of clusters and associations.

Texts and exit statuses of 22.05.8, seen. Not seen, only put together from the words in its binary: the answer to
somebody without the right, to an unknown entity or condition, and to a call without ``-i`` whose question nobody
answers. A number that is none ends with 0 and changes nothing, as there.
"""

from tests.lab.slurm import tres
from tests.lab.slurm.dbd_view import all_tres
from tests.lab.slurm.words import options
from tests.lab.slurm.words import Told

HINT = " Use keyword 'where' to modify condition\n"
UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}
NO_DATABASE = """\
sacctmgr: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:127.0.0.1:6819: \
Connection refused
sacctmgr: error: Sending PersistInit msg: Connection refused
"""


def run(cluster, request) -> str:
    flags = {"immediate": "i", "quiet": "Q", "noheader": "n", "parsable2": "P"}
    given, words = options("sacctmgr", request.words, {}, flags)
    if "dbd" in cluster.down:
        raise Told(NO_DATABASE)
    verb, entity, rest = (words or [""])[0].lower(), (words[1:2] or [""])[0].lower(), words[2:]
    if verb in ("show", "list"):
        return _show(cluster, entity, rest, "noheader" in given)
    if verb != "modify":
        raise Told(f"invalid keyword: {verb}\n")
    if not entity.startswith("account"):
        raise Told('No valid entity in modify command\nInput line must include "Account", "Cluster", "Federation",'
                   ' "Job", "QOS", "Resource" or "User"\n')  # fmt: skip
    return _modify(cluster, request, rest, "immediate" in given)


def _modify(cluster, request, words: list[str], at_once: bool) -> str:
    lowered = [word.lower() for word in words]
    middle = lowered.index("set") if "set" in lowered else len(words)
    who = _conditions(words[:middle])
    total, jobs, complaint = {}, None, ""
    for word in words[middle + 1 :]:
        key, _equals, value = word.partition("=")
        if key.lower() == "grptres":
            found, complaint = _tres(cluster, word, value)
            total |= found
        elif key.lower() == "grpsubmitjobs":
            if not value.lstrip("-").isdigit():
                raise Told(f"sacctmgr: error: Invalid value for {key} ({value})\n Unknown option: {word}\n{HINT}")
            jobs = int(value)
        else:
            raise Told(f" Unknown option: {word}\n{HINT}")
    if middle + 1 >= len(words):
        raise Told(" You didn't give me anything to set\n")
    if not cluster.is_operator(request.user):
        raise Told(" Error with request: Access/permission denied\n")
    names = [name for name in cluster.limits if name in who.get("name", name).split(",")]
    if not names or cluster.name not in who.get("cluster", cluster.name).split(","):
        raise Told("", 1, " Nothing modified\n")
    said = " Modified account associations...\n" + "".join(
        f"  C = {cluster.name:<10} A = {name} of root\n" for name in names
    )
    if not at_once:
        return f"{said}Would you like to commit changes? (You have 30 seconds to decide)\n(N/y):  Changes Discarded\n"
    for name in names:
        _set(cluster.limits[name], total, jobs)
    cluster.touch("jobs")
    if complaint:
        raise Told(complaint, 0, said)
    return said


def _conditions(words: list[str]) -> dict[str, str]:
    """Read ``[where] name=a cluster=b``; a word alone is the name."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and key.lower() != "where":
            found["name"] = key
        elif equals and key.lower() in ("name", "account", "cluster"):
            found[key.lower().replace("account", "name")] = value
        elif equals:
            raise Told(f" Unknown condition: {word}\n Use keyword 'set' to modify value\n")
    return found


def _tres(cluster, word: str, text: str) -> tuple[dict[str, int], str]:
    """Return (TRES → count in MiB or pieces, what is complained of); -1 takes a limit away."""
    known = {f"{row['type']}/{row['name']}" if row["name"] else row["type"] for row in all_tres(cluster)}
    found, complaint = {}, ""
    for part in text.split(","):
        name, _equals, value = part.partition("=")
        if name not in known:
            raise Told(f"sacctmgr: error: slurmdb_format_tres_str: no TRES known by type {name}\n"
                       f" Unknown option: {word}\n{HINT}")  # fmt: skip
        number, unit = (value[:-1], value[-1:].upper()) if value[-1:].isalpha() else (value, "")
        if not number.lstrip("-").isdigit() or unit not in ("", *UNITS):
            complaint = f"sacctmgr: error: Invalid unit type '{value[-1:]}'. Possible options are 'KMGTP'\n"
        else:
            found[name] = int(int(number) * UNITS.get(unit, 1))
    return found, complaint


def _set(limits: dict, total: dict[str, int], jobs: int | None) -> None:
    """What is not named stays."""
    kept = {**limits.get("grp_tres", {}), **total}
    limits["grp_tres"] = {name: count for name, count in kept.items() if count >= 0}
    if jobs is not None:
        limits["grp_submit_jobs"] = jobs if jobs >= 0 else None


def _show(cluster, entity: str, words: list[str], bare: bool) -> str:
    """Only what ``-P`` prints."""
    given = dict(word.lower().partition("=")[::2] for word in words)
    if entity.startswith("cluster"):
        columns, rows = ["Cluster"], [[cluster.name]]
    elif entity.startswith("assoc"):
        columns = ["Cluster", "Account", "User", "GrpTRES", "GrpSubmit"]
        rows = [
            [cluster.name, name, "", tres.text(limits.get("grp_tres", {})), limits.get("grp_submit_jobs")]
            for name, limits in cluster.limits.items() if name in given.get("account", name).split(",")
        ]  # fmt: skip
    else:
        raise Told('No valid entity in list command\nInput line must include "Account", "Association", "Cluster",'
                   ' "Configuration",\n"Event", "Federation", "Problem", "QOS", "Resource", "Reservation",\n'
                   '"RunAwayJobs", "Stats", "Transaction", "TRES", "User", or "WCKey"\n')  # fmt: skip
    lines = ["|".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return "".join(f"{line}\n" for line in ([] if bare else ["|".join(columns)]) + lines)
