# SPDX-License-Identifier: Apache-2.0
"""Starts one program that nobody catches an exception of, in every way that
interpreters know; then prints a JSON object: way -> [exit status, stderr].

Arguments: an empty folder for its files, and the ways.
"""

import json
import os
import stat
import subprocess
import sys
import zipfile

PROGRAM = """\
class Problem(ValueError):
    pass

def fail(number):
    inside = ["of fail", number]
    raise Problem("no %d" % number)

def main():
    mine = {"number": 1}
    return fail(1)

"""
# Nothing of site's is needed, nor of the environment.
PYTHON = [sys.executable, "-SE"]


def write(path, text):
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    with open(path, "w") as file:
        file.write(text)
    return path


def prepare(top):
    """The files; and for each way its command and what is its standard input."""
    run = PROGRAM + "main()\n"
    program = write(top + "/program.py", run)
    write(top + "/package/__init__.py", "")
    write(top + "/package/__main__.py", "from package.module import main\nmain()\n")
    write(top + "/package/module.py", PROGRAM + "if __name__ == '__main__':\n    main()\n")
    write(top + "/folder/__main__.py", run)
    with zipfile.ZipFile(top + "/program.zip", "w") as archive:
        archive.write(program, "__main__.py")
    script = write(top + "/script", "#!%s %s\n%s" % (*PYTHON, run))
    os.chmod(script, stat.S_IRWXU)
    entry = "import sys\nfrom package.module import main\nsys.exit(main())\n"
    write(top + "/entry", entry)
    home = os.path.dirname(os.path.realpath(sys.executable))
    write(top + "/venv/pyvenv.cfg", "home = %s\n" % home)
    os.mkdir(top + "/venv/bin")
    os.symlink(sys.executable, top + "/venv/bin/python")
    by_path = "import runpy; runpy.run_path(%r, run_name='__main__')" % program
    return {
        "file": ([*PYTHON, program], None),
        "module": ([*PYTHON, "-m", "package.module"], None),
        "package": ([*PYTHON, "-m", "package"], None),
        "folder": ([*PYTHON, "folder"], None),
        "archive": ([*PYTHON, "program.zip"], None),
        "code": ([*PYTHON, "-c", run], None),
        "dash": ([*PYTHON, "-"], program),
        "input": (PYTHON, program),
        "script": ([script], None),
        "entry": ([*PYTHON, "entry"], None),
        "venv": ([top + "/venv/bin/python", "-E", "program.py"], None),
        "run_path": ([*PYTHON, "-c", by_path], None),
        "shell": (["sh", "-c", 'exec "$@"', "sh", *PYTHON, program], None),
        "prompt_after": ([*PYTHON, "-i", program], None),
    }


def start(argv, given):
    with open(given or os.devnull) as stdin:
        made = subprocess.Popen(argv, stdin=stdin, stderr=subprocess.PIPE)
        return [made.communicate()[1].decode(), made.returncode]


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    COMMANDS = prepare(os.getcwd())
    print(json.dumps({way: start(*COMMANDS[way]) for way in sys.argv[2:] or COMMANDS}))
