# SPDX-License-Identifier: GPL-3.0-or-later
"""The job contract: the wrapper is run for real, by every POSIX shell of this machine."""

import hashlib
import io
import json
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

from ansible_collections.suanwang.brain.plugins.module_utils import jobfile
from ansible_collections.suanwang.brain.plugins.module_utils.errors import Corrupt

RUN = "01kaxc2m7q5v9b3z8d4f6g1h0j"
SHELLS = [name for name in ("sh", "dash", "bash") if shutil.which(name)]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Site:
    """A storage root below a folder whose name wants quoting, and one attempt of `train` in it."""

    def __init__(self, root, shell):
        self.root, self.shell = root, shell
        root.mkdir(exist_ok=True)
        self.layout = jobfile.Layout(str(root), RUN, "train")
        self.workdir = pathlib.Path(self.layout.workdir)
        self.workdir.mkdir(parents=True)
        self.code_sha256 = None

    def code(self, text, name="job.sh"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        pathlib.Path(self.layout.archive).write_bytes(buffer.getvalue())
        self.code_sha256 = sha256(buffer.getvalue())

    def input(self, name, data, filename="data.csv"):
        path = pathlib.Path(self.layout.data(sha256(data), filename))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return jobfile.JobInput(name, str(path), sha256(data))

    def start(self, command=("sh", "job.sh"), inputs=(), outputs=(), code_sha256=None):
        text = jobfile.script(
            self.layout,
            f"swb-{RUN}-train.a1",
            code_sha256=code_sha256 or self.code_sha256,
            command=command,
            inputs=inputs,
            outputs=outputs,
        )
        wrapper = self.root / "wrapper"
        wrapper.write_text(text, encoding="utf-8")
        return subprocess.Popen(
            [self.shell, str(wrapper)],
            cwd="/",
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SWB_PARAMETERS": '{"steps":1}'},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **options):
        process = self.start(**options)
        process.stdout_text, process.stderr_text = process.communicate(timeout=30)
        return process

    @property
    def out(self):
        return self.workdir / "out"

    def result(self):
        return jobfile.read_result((self.out / "result.json").read_text("utf-8"), RUN, "train")


@pytest.fixture(params=SHELLS)
def site(request, tmp_path):
    return Site(tmp_path / "存储 root's", request.param)


def test_success_with_outputs_in_paths_with_spaces_and_chinese(site):
    site.code(
        'mkdir -p "$SWB_OUTPUT_DIR/模型 v1"\n'
        'printf weights > "$SWB_OUTPUT_DIR/模型 v1/it\'s a model.bin"\n'
        ': > "$SWB_OUTPUT_DIR/empty"\n'
        "echo said\n"
    )
    outputs = (("model", "模型 v1/it's a model.bin"), ("empty", "empty"))
    done = site.run(outputs=outputs)
    assert (done.returncode, done.stdout_text, done.stderr_text) == (0, "said\n", "")
    result = site.result()
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(moment, result.pop("started"))
    assert re.fullmatch(moment, result.pop("ended"))
    assert result == {
        "schema": "urn:suanwang:brain:result:1",
        "run": RUN,
        "component": "train",
        "attempt": 1,
        "exit_code": 0,
        "reason": "",
        "outputs": {
            "model": {"path": outputs[0][1], "size": 7, "sha256": sha256(b"weights")},
            "empty": {"path": "empty", "size": 0, "sha256": sha256(b"")},
        },
    }


def test_an_exit_code_reaches_the_platform_and_the_result_file(site):
    site.code('printf half > "$SWB_OUTPUT_DIR/model"\nexit 3\n')
    assert site.run(outputs=[("model", "model")]).returncode == 3
    result = site.result()
    assert (result["exit_code"], result["reason"]) == (3, "")
    assert result["outputs"]["model"]["sha256"] == sha256(b"half")


def test_a_command_that_is_not_there_is_a_failure_with_a_result(site):
    site.code("exit 0\n")
    assert site.run(command=("no-such-command",)).returncode == 127
    assert site.result()["exit_code"] == 127


def test_a_missing_output_is_left_out(site):
    site.code('echo x > "$SWB_OUTPUT_DIR/second"\nmkdir "$SWB_OUTPUT_DIR/folder"\n')
    done = site.run(outputs=[("first", "first"), ("second", "second"), ("folder", "folder")])
    assert done.returncode == 0
    assert list(site.result()["outputs"]) == ["second"]


def test_other_code_than_approved_does_not_run(site):
    site.code('echo ran > "$SWB_OUTPUT_DIR/ran"\n')
    assert site.run(code_sha256="0" * 64).returncode == 97
    assert site.result()["reason"] == "code differs from its checksum"
    assert site.result()["exit_code"] == 97
    assert not (site.out / "ran").exists()
    assert not list((site.workdir / "code").iterdir())


def test_code_that_is_missing_does_not_run(site):
    site.code("exit 0\n")
    pathlib.Path(site.layout.archive).unlink()
    assert site.run().returncode == 97
    assert site.result()["exit_code"] == 97


def test_code_with_the_right_checksum_that_is_no_archive(site):
    pathlib.Path(site.layout.archive).write_bytes(b"not a tar file")
    assert site.run(code_sha256=sha256(b"not a tar file")).returncode == 97
    assert site.result()["reason"] == "code archive does not unpack"


def test_a_changed_input_stops_the_job_and_is_named(site):
    site.code('echo ran > "$SWB_OUTPUT_DIR/ran"\n')
    good, bad = site.input("good", b"1"), site.input("bad", b"2")
    pathlib.Path(bad.path).write_bytes(b"3")
    assert site.run(inputs=[good, bad]).returncode == 97
    assert site.result()["reason"] == "input bad differs from its checksum"
    assert not (site.out / "ran").exists()


def test_a_missing_input_stops_the_job(site):
    site.code("exit 0\n")
    missing = site.input("digits", b"1")
    pathlib.Path(missing.path).unlink()
    assert site.run(inputs=[missing]).returncode == 97
    assert site.result()["reason"] == "input digits differs from its checksum"


def test_what_the_job_sees(site):
    site.code(
        "for name in OUTPUT_DIR CHECKPOINT_DIR INPUT_DIGITS INPUT_TWO_B PARAMETERS; do\n"
        '  eval "printf \'%s\\n\' \\"\\$SWB_$name\\""\n'
        "done\n"
        "pwd\n"
        'cat "$SWB_INPUT_DIGITS" "$SWB_INPUT_TWO_B"\n'
        'echo epoch-1 > "$SWB_CHECKPOINT_DIR/last"\n'
    )
    inputs = [site.input("digits", b"5,6\n", "手写 digits.csv"), site.input("two_b", b"7\n")]
    done = site.run(inputs=inputs)
    assert done.returncode == 0, done.stderr_text
    workdir = site.layout.workdir
    assert done.stdout_text.splitlines() == [
        f"{workdir}/out",
        f"{site.layout.component_dir}/checkpoints",
        f"{workdir}/in/digits",
        f"{workdir}/in/two_b",
        '{"steps":1}',
        f"{workdir}/code",
        "5,6",
        "7",
    ]
    second = jobfile.Layout(str(site.root), RUN, "train", 2)
    assert pathlib.Path(second.workdir).parent.joinpath("checkpoints/last").read_text() == "epoch-1\n"


def test_arguments_reach_the_code_as_they_are(site):
    site.code('printf "%s\\n" "$@"\n')
    arguments = ("$(touch pwned)", "it's", 'a "b"', "中 文", "*", "@RUN@", "back\\slash")
    done = site.run(command=("sh", "job.sh", *arguments))
    assert done.stdout_text.splitlines() == list(arguments)
    assert not (site.workdir / "code/pwned").exists()


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)


WAITS = 'echo > "$SWB_OUTPUT_DIR/ready"\ni=0\nwhile [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done\n'


def test_term_reaches_the_code_which_may_tidy_up(site):
    site.code("trap 'echo saved > \"$SWB_CHECKPOINT_DIR/last\"; exit 5' TERM\n" + WAITS)
    process = site.start()
    wait_for(site.out / "ready")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 5
    assert site.result()["exit_code"] == 5
    assert (pathlib.Path(site.layout.component_dir) / "checkpoints/last").read_text() == "saved\n"


def test_code_that_dies_of_term_leaves_143(site):
    site.code(WAITS)
    process = site.start()
    wait_for(site.out / "ready")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert site.result()["exit_code"] == 143


def test_code_that_ignores_term_ends_with_its_own_code(site):
    site.code(
        "trap '' TERM\n"
        'echo > "$SWB_OUTPUT_DIR/ready"\n'
        'while [ ! -e "$SWB_OUTPUT_DIR/go" ]; do sleep 0.05; done\n'
        "exit 4\n"
    )
    process = site.start()
    wait_for(site.out / "ready")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert process.poll() is None, "the wrapper ended before the code did"
    assert not (site.out / "result.json").exists()
    (site.out / "go").touch()
    process.communicate(timeout=20)
    assert process.returncode == 4
    assert site.result()["exit_code"] == 4


def test_the_result_file_is_written_last_and_by_rename(site):
    site.code('ls -a "$SWB_OUTPUT_DIR"\n')
    site.out.mkdir()
    before = site.out / "result.json"
    before.write_text("an older one")
    with before.open() as held:
        done = site.run()
        # Written in place, the open file would show the new bytes.
        assert held.read() == "an older one"
    assert done.returncode == 0
    assert ".result.json.part" not in done.stdout_text
    assert site.result()["exit_code"] == 0
    assert [path.name for path in site.out.iterdir()] == ["result.json"]


def test_no_work_folder_is_96(site):
    site.code("exit 0\n")
    shutil.rmtree(site.workdir)
    assert site.run().returncode == 96
    assert not site.workdir.exists()


def test_others_can_read_nothing_that_the_job_makes(site):
    site.code('echo x > "$SWB_OUTPUT_DIR/model"\n')
    site.run(outputs=[("model", "model")])
    for name in ("model", "result.json"):
        assert (site.out / name).stat().st_mode & 0o007 == 0


# -- in process --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ['a"b', "a\\b", "a\nb", "a\tb", ""])
def test_an_output_path_that_would_break_the_result_file_is_refused(path):
    with pytest.raises(Corrupt, match="quote, backslash or control character"):
        jobfile.script(
            jobfile.Layout("/r", RUN, "train"),
            "n",
            code_sha256="0" * 64,
            command=["true"],
            outputs=[("model", path)],
        )


def test_the_layout():
    layout = jobfile.Layout("/data/brain", RUN, "train", 3)
    assert layout.workdir == f"/data/brain/{RUN}/train/a3"
    assert layout.result == f"{layout.workdir}/out/result.json"
    assert layout.log == f"{layout.workdir}/log"
    assert layout.archive == f"{layout.workdir}/code.tar"
    assert layout.data("f" * 64, "x.csv") == f"/data/brain/{RUN}/data/{'f' * 64}/x.csv"


def result_text(**changes):
    result = {
        "schema": jobfile.SCHEMA,
        "run": RUN,
        "component": "train",
        "attempt": 1,
        "exit_code": 0,
        "outputs": {},
    }
    return json.dumps({**result, **changes})


def test_a_result_of_this_component_reads():
    assert jobfile.read_result(result_text(exit_code=3), RUN, "train")["exit_code"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "01kaxc2m7q5v9b3z8d4f6g1h0k"},
        {"component": "test"},
        {"schema": "urn:suanwang:brain:result:2"},
        {"exit_code": None},
        {"exit_code": "0"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_result_of_something_else_is_refused(changes):
    with pytest.raises(Corrupt, match="result file found for train belongs to something else"):
        jobfile.read_result(result_text(**changes), RUN, "train")


@pytest.mark.parametrize("text", ["", "{", result_text()[:-1], "[]", "null", "3", "{}"])
def test_half_a_result_is_refused(text):
    with pytest.raises(Corrupt, match="result file of train does not read"):
        jobfile.read_result(text, RUN, "train")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('swb-progress {"percent": 40}', {"percent": 40}),
        ('  swb-progress {"percent": 40}\n', {"percent": 40}),
        ("swb-progress {}", {}),
        ('0: swb-progress {"percent": 40}', None),
        ("swb-progress [1]", None),
        ("swb-progress 40", None),
        ('swb-progress {"percent": ', None),
        ("swb-progress", None),
        ('swb-progress{"percent": 40}', None),
        ("", None),
        ("epoch 1 of 3", None),
    ],
)
def test_progress_lines(line, value):
    assert jobfile.progress(line) == value
