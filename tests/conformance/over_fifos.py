"""over_fifos.py PROGRAM WORKER: PROGRAM of lines, started by somebody else than its worker, which becomes this process."""
import os
import subprocess
import sys
import tempfile

PROGRAM = 'timeout 60 sh -c \'exec "$0" -I -S "$1" <to >from\' "$0" "$1"; rm -r "$PWD"'

directory = tempfile.mkdtemp(prefix="warmpool-fifos.")
to, other = os.path.join(directory, "to"), os.path.join(directory, "from")
for fifo in (to, other):
    os.mkfifo(fifo, 0o600)
nothing, environment = subprocess.DEVNULL, {name: value for name, value in os.environ.items() if not name.startswith("WARMPOOL_")}
subprocess.Popen(["sh", "-c", PROGRAM, sys.executable, sys.argv[1]], cwd=directory, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
os.execv(sys.argv[2], [sys.argv[2], "--wrap", "lines", "--fifos", f"{to},{other}"])
