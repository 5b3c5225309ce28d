# Copyright: SuanWang Brain contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job contract: what user code sees at every site, and the result file it leaves.

Layout under the storage root: ``<run>/<component>/a<n>/{code,in/<name>,out,log}``, checkpoints beside
``a<n>``, data of the run in ``<run>/data/<sha256>/<file name>``. A result file beats a platform's word for
exit codes (slurmdbd loses them). It is written last, by rename, so a half-written one is never seen.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

from .errors import Corrupt

SCHEMA = "urn:suanwang:brain:result:1"

# POSIX sh and coreutils only: it must run on any login shell of any site. No `set -e`: the exit code of the
# user's code is data here, and the result file must be written whatever happens.
_WRAPPER = r"""#!/bin/sh
# suanwang brain job: @NAME@
umask 027
cd @WORKDIR@ || exit 96
SWB_OUTPUT_DIR=@WORKDIR@/out; SWB_CHECKPOINT_DIR=@CHECKPOINTS@
export SWB_OUTPUT_DIR SWB_CHECKPOINT_DIR
mkdir -p out in code "$SWB_CHECKPOINT_DIR" || exit 96
sum() { sha256sum < "$1" | cut -d' ' -f1; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
started=$(now)
finish() {
  outputs=; sep=
@OUTPUTS@
  printf '{"schema":"@SCHEMA@","run":"@RUN@","component":"@COMPONENT@","attempt":@ATTEMPT@,' > out/.result.json.part
  printf '"exit_code":%d,"reason":"%s","started":"%s","ended":"%s","outputs":{%s}}\n' \
    "$1" "$2" "$started" "$(now)" "$outputs" >> out/.result.json.part && mv out/.result.json.part out/result.json
  exit "$1"
}
output() {
  [ -f "out/$2" ] || return 0
  size=$(wc -c < "out/$2" | tr -d ' ')
  outputs="$outputs$sep\"$1\":{\"path\":\"$2\",\"size\":$size,\"sha256\":\"$(sum "out/$2")\"}"; sep=,
}
[ "$(sum @ARCHIVE@)" = @CODE_SHA256@ ] || finish 97 "code differs from its checksum"
tar -xf @ARCHIVE@ -C code || finish 97 "code archive does not unpack"
@INPUTS@
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
( cd ./code && exec @COMMAND@ ) &
child=$!
wait "$child"; code=$?
while [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
finish "$code" ""
"""

# A copy of a service: its own folder, because copies share the work folder, and no end, so no result file.
_SERVICE = r"""#!/bin/sh
# suanwang brain service: @NAME@
umask 027
cd @WORKDIR@ && mkdir -p copies && copy=$(mktemp -d copies/XXXXXX) || exit 96
sum() { sha256sum < "$1" | cut -d' ' -f1; }
finish() { echo "$2"; exit "$1"; }
[ "$(sum @ARCHIVE@)" = @CODE_SHA256@ ] || finish 97 "code differs from its checksum"
tar -xf @ARCHIVE@ -C "$copy" || finish 97 "code archive does not unpack"
mkdir -p in
@INPUTS@
cd "$copy" && exec @COMMAND@
"""

_OUTPUT_PATH = re.compile(r"[^\x00-\x1f\"\\\\]+")


@dataclass(frozen=True)
class JobInput:
    """name: of the input; path: absolute, at the site; sha256: what it must be there; folder: unpack it."""

    name: str
    path: str
    sha256: str
    folder: bool = False


@dataclass(frozen=True)
class Layout:
    """Absolute paths of one attempt at a site. root: the storage root there, without a slash at the end."""

    root: str
    run: str
    component: str
    attempt: int = 1

    @property
    def component_dir(self):
        return f"{self.root}/{self.run}/{self.component}"

    @property
    def workdir(self):
        return f"{self.component_dir}/a{self.attempt}"

    @property
    def archive(self):
        return f"{self.workdir}/code.tar"

    @property
    def log(self):
        return f"{self.workdir}/log"

    @property
    def result(self):
        return f"{self.workdir}/out/result.json"

    def data(self, sha256, filename):
        return f"{self.root}/{self.run}/data/{sha256}/{filename}"


def script(layout, name, *, code_sha256, command, inputs=(), outputs=()):
    """Return the wrapper as text.

    command: argument list, run in ``code/``. inputs: JobInput. outputs: (name, path below out/) pairs.
    Exit codes of its own: 96 no work folder, 97 code or input differs from its checksum.
    """
    quoted = shlex.quote
    fields = {
        "NAME": name,
        "WORKDIR": quoted(layout.workdir),
        "CHECKPOINTS": quoted(f"{layout.component_dir}/checkpoints"),
        "SCHEMA": SCHEMA,
        "RUN": layout.run,
        "COMPONENT": layout.component,
        "ATTEMPT": str(layout.attempt),
        "ARCHIVE": quoted(layout.archive),
        "CODE_SHA256": code_sha256,
        "COMMAND": shlex.join(command),
        "INPUTS": _inputs(layout, inputs),
        "OUTPUTS": "\n".join(f"  output {key} {quoted(_plain(path))}" for key, path in outputs),
    }
    return _filled(_WRAPPER, fields)


def service_script(layout, name, *, code_sha256, command, inputs=()):
    """Return the script of one copy of a service as text: as `script`, but it becomes the command."""
    quoted = shlex.quote
    fields = {
        "NAME": name,
        "WORKDIR": quoted(layout.workdir),
        "ARCHIVE": quoted(layout.archive),
        "CODE_SHA256": code_sha256,
        "COMMAND": shlex.join(command),
        "INPUTS": _inputs(layout, inputs),
    }
    return _filled(_SERVICE, fields)


def _filled(template, fields):
    return re.sub(r"@([A-Z_0-9]+)@", lambda found: fields[found[1]], template)


def _inputs(layout, inputs):
    """Return the lines that check the inputs, link them, and say where they are."""
    quoted = shlex.quote
    checks = []
    for item in inputs:
        link = f"in/{item.name}"
        checks.append(
            f'[ "$(sum {quoted(item.path)})" = {item.sha256} ]'
            f' || finish 97 "input {item.name} differs from its checksum"\n'
            f"{_into(link, item)}\n"
            f"SWB_INPUT_{item.name.upper()}={quoted(f'{layout.workdir}/{link}')};"
            f" export SWB_INPUT_{item.name.upper()}"
        )
    return "\n".join(checks)


def _into(link, item):
    """Return the line that puts an input below ``in/``."""
    path = shlex.quote(item.path)
    if not item.folder:
        return f"ln -sf {path} {link}"
    return f'mkdir -p {link} && tar -xf {path} -C {link} || finish 97 "input {item.name} does not unpack"'


def _plain(path):
    # The path goes into JSON that printf writes: a quote or a backslash would break it.
    if not _OUTPUT_PATH.fullmatch(path):
        raise Corrupt(f"output path {path!r} holds a quote, backslash or control character.")
    return path


def read_result(text, run, component):
    """Return the result file as a dict, or raise Corrupt where it is not the one of this component."""
    try:
        result = json.loads(text)
        known = result["schema"] == SCHEMA and isinstance(result["exit_code"], int)
        ours = result["run"] == run and result["component"] == component
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"the result file of {component} does not read: {error}.") from error
    if not known or not ours:
        raise Corrupt(f"the result file found for {component} belongs to something else.")
    return result


def progress(line):
    """Return the dict of a ``swb-progress {json}`` line, or None. Numbers from a job are for display only."""
    head, found, rest = line.partition("swb-progress ")
    if not found or head.strip():
        return None
    try:
        value = json.loads(rest)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
