#!/usr/bin/env python3
"""Proves that check_includes.py finds each kind of violation, and does not cry wolf."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import check_includes  # noqa: E402

LONG = "  step();\n" * 70

# name: (path, text, words that the one violation must contain)
VIOLATIONS = {
    "pool includes ipc": ("pool/a.cpp", '#include "ipc/frame.hpp"\n', "pool/ may not include ipc/frame.hpp"),
    "pool includes a library": ("pool/a.cpp", "#include <boost/asio.hpp>\n", "<boost/asio.hpp>"),
    "pool uses threads": ("pool/a.cpp", "#include <thread>\n", "<thread>"),
    "pool uses a mutex": ("pool/a.cpp", "#include <mutex>\n", "<mutex>"),
    "pool writes": ("pool/a.cpp", "#include <iostream>\n", "<iostream>"),
    "pool reads files": ("pool/a.cpp", "#include <fstream>\n", "<fstream>"),
    "pool draws": ("pool/a.cpp", "#include <random>\n", "<random>"),
    "pool sees time": ("pool/a.cpp", "#include <chrono>\n", "<chrono>"),
    "pool hashes": ("pool/a.cpp", "#include <unordered_map>\n", "<unordered_map>"),
    "pool hashes sets": ("pool/a.cpp", "#include <unordered_set>\n", "<unordered_set>"),
    "pool calls the system": ("pool/a.cpp", "#include <unistd.h>\n", "<unistd.h>"),
    "vocabulary includes the core": ("pool/ids.hpp", '#include "pool/pool.hpp"\n', "not vocabulary"),
    "ipc includes the core": ("ipc/a.cpp", '#include "pool/pool.hpp"\n', "ipc/ may not include pool/pool.hpp"),
    "ipc includes daemon": ("ipc/a.cpp", '#include "daemon/a.hpp"\n', "ipc/ may not include daemon/a.hpp"),
    "ipc logs": ("ipc/a.cpp", "#include <spdlog/spdlog.h>\n", "<spdlog/spdlog.h> is for"),
    "worker includes client": ("worker/a.cpp", '#include "client/a.hpp"\n', "worker/ may not include"),
    "worker includes the core": ("worker/a.cpp", '#include "pool/pool.hpp"\n', "worker/ may not include"),
    "worker uses Asio": ("worker/a.cpp", '#include "ipc/asio.hpp"\n', "Asio is for"),
    "worker library uses libcrypto": ("worker/a.cpp", "#include <openssl/evp.h>\n", "<openssl/evp.h> is for"),
    "client includes daemon": ("client/a.cpp", '#include "daemon/a.hpp"\n', "client/ may not include"),
    "client reads TOML": ("client/a.cpp", "#include <toml++/toml.h>\n", "<toml++/toml.h> is for"),
    "daemon includes worker": ("daemon/a.cpp", '#include "worker/a.hpp"\n', "daemon/ may not include"),
    "daemon includes client": ("daemon/x/a.cpp", '#include "client/a.hpp"\n', "daemon/ may not include"),
    "launch includes daemon": ("daemon/launch/a.cpp", '#include "daemon/a.hpp"\n', "daemon/launch/ may not"),
    "simulator includes ipc": ("tests/sim/a.cpp", '#include "ipc/a.hpp"\n', "tests/sim/ may not include"),
    "simulator uses a library": ("tests/sim/a.cpp", "#include <spdlog/spdlog.h>\n", "simulator"),
    "Asio in a header": ("daemon/a.hpp", '#include "ipc/asio.hpp"\n', "in a header"),
    "Asio past the wrapper": ("daemon/a.cpp", "#include <boost/asio/read.hpp>\n", "ipc/asio.hpp"),
    "Beast in a header": ("daemon/a.hpp", "#include <boost/beast/http.hpp>\n", "in a header"),
    "unknown library": ("daemon/a.cpp", "#include <folly/io.h>\n", "unknown library"),
    "relative include": ("ipc/a.cpp", '#include "frame.hpp"\n', "from the root"),
    "sleep_for": ("tests/daemon/a.cpp", "void f() { std::this_thread::sleep_for(x); }\n", "sleep_for"),
    "usleep": ("worker/a.cpp", "void f() { usleep(1); }\n", "usleep"),
    "impatient test": ("tests/ipc/a_test.cpp", "auto end = std::chrono::steady_clock::now() + 10s;\n", "patience_ends"),
    "place in a macro": ("tests/e2e/a_test.cpp", 'auto path = WARMPOOL_BIN_DIR "/warmpoold";\n', "places.hpp"),
    "system": ("client/a.cpp", 'void f() { std::system("ls"); }\n', "system"),
    "mark in a comment": ("ipc/a.cpp", "// TO" "DO later\n", "open an issue"),
    "other marks": ("ipc/a.cpp", "// FIX" "ME\n", "open an issue"),
    "a third mark": ("ipc/a.cpp", "// XX" "X\n", "open an issue"),
    "a fourth mark": ("ipc/a.cpp", "// HA" "CK\n", "open an issue"),
    "clock in pool": ("pool/a.cpp", "auto t = std::chrono::steady_clock::now();\n", "time is an argument"),
    "float in pool": ("pool/a.cpp", "float f;\n", "whole numbers"),
    "double in pool": ("pool/a.hpp", "double f;\n", "whole numbers"),
    "unordered in pool": ("pool/a.cpp", "std::unordered_map<int, int> m;\n", "not deterministic"),
    "long header": ("ipc/a.hpp", "int a;\n" * 201, "201 lines"),
    "long source": ("ipc/a.cpp", "int a;\n" * 601, "601 lines"),
    "long function": ("ipc/a.cpp", "namespace a {\nint f(int b) {\n" + LONG + "}\n}\n", "72 lines"),
    "long member": ("ipc/a.hpp", "class A final : public B {\n public:\n  int f() const noexcept override {\n"
                    + LONG + "  }\n};\n", "72 lines"),
    "long constructor": ("ipc/a.cpp", "A::A(int b) : a_{b}, c_(1) {\n" + LONG + "}\n", "72 lines"),
    "long template": ("ipc/a.cpp", "#include <vector>\ntemplate <class T>\nauto f(T t) -> std::vector<T> {\n" + LONG + "}\n", "72 lines"),
    "what is precompiled": ("ipc/a.cpp", "#include <cstdint>\nint f() {\n  return std::ranges::count_if(a, b);\n}\n", "<algorithm>"),
    "long test": ("tests/ipc/a_test.cpp", "TEST(Frame, Holds) {\n" + LONG + "}\n", "72 lines"),
}

INNOCENT = {
    "pool/ids.hpp": '#include <cstdint>\n#include "pool/time.hpp"\n',
    "pool/pool.cpp": '#include <vector>\n#include "pool/ids.hpp"\n// A double check of the system_clock, unordered_map.\n'
                     "constexpr int million = 1'000'000; const char c = '\"'; int doubled;\n",
    "ipc/asio.hpp": "#include <utility>\n#include <boost/asio.hpp>\n",
    "ipc/frame.cpp": '#include <sys/socket.h>\n#include "ipc/asio.hpp"\n#include "ipc/frame.hpp"\n#include "pool/ids.hpp"\n'
                     'auto path = "/tmp/a.XXXXXX"; auto word = "sleep_for"; asio::error_code file_system(int);\n',
    # By way of a header of ours, and of one of the standard.
    "ipc/words.hpp": "#include <map>\n#include <string>\nstd::map<std::string_view, int> words();\n",
    "ipc/words.cpp": '#include "ipc/words.hpp"\nstd::map<std::string_view, int> words() { return {}; }  // std::vector<int>\n',
    "worker/stock/digest.cpp": '#include <openssl/evp.h>\n#include "worker/handler.hpp"\n',
    "client/cli/main.cpp": '#include <CLI/CLI.hpp>\n#include "client/client.hpp"\n',
    "daemon/http/page.cpp": '#include <boost/beast/http.hpp>\n#include "daemon/loop.hpp"\n#include "pool/pool.hpp"\n',
    "tests/support/patience.hpp": "auto end = std::chrono::steady_clock::now() + patience(usual);\n",
    "tests/e2e/kill_test.cpp": "void f() { std::this_thread::sleep_for(x); }\n",
    "tests/sim/world_test.cpp": '#include <gtest/gtest.h>\n#include "pool/pool.hpp"\n#include "tests/sim/world.hpp"\n',
    # Long, but no function: a table of rows, a class, a namespace, a macro.
    "ipc/table.cpp": "#include <array>\nnamespace a {\nconstexpr std::array<Row, 70> rows{{\n" + "    {1, \"x\"},\n" * 70 + "}};\n"
                     "constexpr auto more = std::to_array<Row>({\n" + "    {1, \"x\"},\n" * 70 + "});\n"
                     "struct Words<Refusal> {\n" + "  int a() { return 1; }\n" * 70 + "};\n"
                     "enum class E : int {\n" + "  A,\n" * 70 + "};\n#define X \\\n" + "  { \\\n" * 70 + "\n}\n",
}


def check(files):
    with tempfile.TemporaryDirectory() as directory:
        for path, text in files.items():
            file = pathlib.Path(directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return check_includes.Checker(pathlib.Path(directory)).run()


class Gate(unittest.TestCase):
    def test_finds_each_violation(self):
        for name, (path, text, words) in VIOLATIONS.items():
            with self.subTest(name):
                found = check({path: text})
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(path + ":"), found)
                self.assertIn(words, found[0])

    def test_lets_the_innocent_pass(self):
        self.assertEqual(check(INNOCENT), [])


if __name__ == "__main__":
    unittest.main()
