"""A command of a stand-in's command line: hands its words to the site and prints what that says.

Run as ``python -I -S command.py NAME WORD…``, standard library only. The site is found by the environment variable
LAB_SITE, the folder of its files; the time zone is that of whoever calls.
"""

import http.client
import json
import os
import sys
import time


def ask(connection, asked):
    connection.request("POST", "/lab/command", json.dumps(asked), {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())


def main(name, words):
    with open(os.path.join(os.environ["LAB_SITE"], "ready.json")) as stream:
        port = json.load(stream)["control"]
    asked = {
        "argv": [name, *words],
        "user": os.environ.get("USER", "nobody"),
        "offset_s": time.localtime().tm_gmtoff,
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "input": None,
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    answer = ask(connection, asked)
    if answer["code"] is None:  # it reads its input, which for the others may never end
        answer = ask(connection, {**asked, "input": sys.stdin.read()})
    sys.stdout.write(answer["out"])
    sys.stdout.flush()
    sys.stderr.write(answer["err"])
    return answer["code"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
