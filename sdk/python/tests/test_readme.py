"""The examples of README.md are run as they stand."""
import os
import re
import sys

from pool import PACKAGE, Pool

import warmpool


def example(heading):
    with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
        section = file.read().split(f"\n## {heading}\n")[1]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)


def test_the_worker_and_the_client(tmp_path, monkeypatch, capsys):
    module = tmp_path / "thumbs.py"
    module.write_text("def load_it_once(): return 'model'\n" + example("A worker"))
    with Pool({"command": [sys.executable, "-B", "-m", "warmpool", str(module)]}, module="") as pool:
        monkeypatch.setenv("WARMPOOL_SOCKET", pool.socket)
        exec(example("A client").replace("10**6", "50"), {})
    assert capsys.readouterr().out.count("{'rows': ") == 100


def test_the_executor(capsys):
    exec(example("An executor"), {"resize": abs, "paths": [-1, 2]})
    assert capsys.readouterr().out == "1024\n[1, 2]\n"
    assert warmpool.Executor.__mro__[1].__module__.startswith("concurrent.futures")
