#!/usr/bin/env python3
"""Checks what a compiler does not: the include table, the bans and the sizes.

The table is section 2 of docs/architecture.md, the bans and sizes are docs/style.md. Prints one line per violation
as "path:line: what is wrong, what to do", and ends with 1 if there is any.

Usage: check_includes.py [--root DIRECTORY]
"""
import argparse
import pathlib
import re
import sys

FOLDERS = ("pool", "ipc", "worker", "client", "daemon", "tests", "bench")

# The headers of pool/ that are words of all parts, and no decisions. They may include each other only.
VOCABULARY = {
    "pool/ids.hpp", "pool/time.hpp", "pool/word.hpp", "pool/words.hpp", "pool/worker_words.hpp", "pool/require.hpp", "pool/result.hpp",
    "pool/options.hpp", "pool/breaker_words.hpp", "pool/health_words.hpp", "pool/notification.hpp", "pool/notice_field.hpp", "pool/notice_set.hpp", "pool/refusal.hpp", "pool/table.hpp",
    "pool/notice.hpp", "pool/recovery_words.hpp",
}

# Headers that may include Asio. Every file that includes one of these pays seconds to compile,
# so sources include the wrapper and headers do not; a new entry needs its reason beside it.
ASIO_WRAPPER = "ipc/asio.hpp"
ASIO_HEADERS = {ASIO_WRAPPER}

# What the core may use of the standard library: no clock, no thread, no I/O, no unordered iteration.
POOL_STD = set("""
    algorithm array bit bitset cassert charconv climits compare concepts cstddef cstdint cstdio cstdlib
    cstring deque functional initializer_list iosfwd iterator limits list map memory numeric optional queue
    ranges set source_location span stack string string_view tuple type_traits utility variant vector version
""".split())

# Folders of the repository that each folder may include. The longest matching folder decides.
MAY_INCLUDE = {
    "pool": ("pool/",),
    "ipc": ("ipc/", "vocabulary"),
    "worker": ("worker/", "ipc/", "vocabulary"),
    "client": ("client/", "ipc/", "vocabulary"),
    "daemon": ("daemon/", "ipc/", "pool/"),
    "daemon/launch": ("daemon/launch/", "vocabulary"),  # stands alone between spawn and exec
    "tests": ("",),
    "tests/sim": ("tests/sim/", "pool/"),
    "bench": ("",),
}

# Libraries: how their includes begin, and the folders that may use them.
LIBRARIES = {
    "boost/interprocess/": ("ipc", "tests", "bench"),
    "boost/asio": (),  # the wrapper alone, see ASIO_HEADERS
    "boost/system/": (),
    "boost/beast": ("daemon", "tests", "bench"),
    "msgpack": ("ipc", "tests", "bench"),
    "spdlog/": ("daemon", "worker/worker_main.cpp", "tests", "bench"),
    "openssl/": ("worker/stock", "tests", "bench"),
    "nlohmann/": ("worker/stock", "worker/worker_main.cpp", "client", "daemon", "tests", "bench"),
    "CLI/": ("client/cli",),
    "sqlite3.h": ("daemon", "tests", "bench"),
    "toml++/": ("daemon", "tests"),
    "xxhash.h": ("daemon", "tests", "bench"),
    "gtest/": ("tests",),
    "gmock/": ("tests",),
    "benchmark/": ("bench",),
}
# System headers that have a folder; other <folder/...> includes are unknown libraries.
SYSTEM_FOLDERS = ("sys/", "linux/", "netinet/", "net/", "arpa/", "bits/", "asm/", "sanitizer/")

# What is precompiled (cmake/flags.cmake) is there whether it was included or not, and so is what another source of a unity
# build includes. Whoever builds without either misses it: these names need their header, also through headers of ours.
STANDARD_NAMES = {
    "algorithm": r"(ranges::)?(all_of|any_of|copy|count_if|equal|fill|find|find_if|lower_bound|max_element|min_element|none_of"
                 r"|reverse|sort|upper_bound)\(",
    "array": r"array<", "charconv": r"(from|to)_chars\(", "cstring": r"(mem(chr|cmp|cpy|move|set)|str(cmp|error|len|signal))\(",
    "deque": r"deque<", "functional": r"(function<|invoke\()", "map": r"(multi)?map<",
    "memory": r"(make_shared|make_unique|shared_ptr|unique_ptr|weak_ptr)<", "optional": r"(nullopt\b|optional<)", "span": r"span<",
    "string": r"(string\b|to_string\()", "string_view": r"string_view\b", "variant": r"(get_if<|holds_alternative<|variant<|visit\()",
    "vector": r"vector<",
}
STANDARD_NAMES = {header: re.compile(r"\bstd::" + names) for header, names in STANDARD_NAMES.items()}
# What these have in them by the standard, or in any library there is.
STANDARD_BRINGS = {"string": {"string_view"}, "sstream": {"string", "string_view"}, "fstream": {"string", "string_view"},
                   "iostream": {"string", "string_view"}, "ostream": {"string", "string_view"}, "span": {"array"}}

# (pattern, folders it holds in, folders it does not hold in, what to do instead)
BANS = [
    (r"\b(sleep_for|sleep_until|usleep)\b", FOLDERS, ("tests/e2e",),
     "wait for the event itself, or use virtual time; only tests/e2e may sleep"),
    (r"_clock::now\(\)\s*\+", ("tests",), ("tests/support",),
     "wait until test::patience_ends(), which knows how slow sanitizers are (tests/support/patience.hpp)"),
    (r"\bWARMPOOL_(BIN|SOURCE)_DIR\b", ("tests",), ("tests/support/places.cpp",),
     "call program() or source_file() of tests/support/places.hpp"),
    (r"(?<!\w)system\s*\(", FOLDERS, (), "spawn with an argument vector, never through a shell"),
    (r"_clock\b", ("pool",), (), "time is an argument in the core"),
    (r"\b(float|double)\b", ("pool",), (), "decide in whole numbers, scores in 1/1000"),
    (r"(?<!<)\bunordered_", ("pool",), (), "the order of an unordered container is not deterministic"),
]
# Looked for in comments and strings too, where they live.
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

HEADER_LINES_MAX = 200
SOURCE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60


def lies_in(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


# --- Text -------------------------------------------------------------------------------------------------

# A number comes before a character literal, because of the quotes in 1'000'000.
TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>R"(?P<end>[^(\s]*)\(.*?\)(?P=end)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<number>\b[0-9](?:'?[0-9a-zA-Z_.])*)
      | (?P<character>'(?:\\.|[^'\\\n])+')""", re.VERBOSE | re.DOTALL)


def code_only(text):
    """The text without comments and with empty literals; line numbers stay."""
    def blank(match):
        if match.lastgroup == "number":
            return match.group()
        keep = "" if match.lastgroup == "comment" else '""'
        return keep + "\n" * match.group().count("\n")
    # Of an outer group and a named group inside it, lastgroup is the outer one.
    return TOKENS.sub(blank, text)


def without_preprocessor(code):
    """Blanks directives with their continuation lines, so that macros do not count as functions."""
    out, continued = [], False
    for line in code.split("\n"):
        directive = continued or line.lstrip().startswith("#")
        continued = directive and line.endswith("\\")
        out.append("" if directive else line)
    return "\n".join(out)


def functions(code):
    """Yields (first line, number of lines) of every function body outside other functions."""
    scopes = []  # kind and line of every open brace: "scope", "function" or "other"
    head, line, parens = "", 1, 0
    for char in without_preprocessor(code):
        if char == "\n":
            line += 1
        inside = scopes and scopes[-1][0] != "scope"
        if char == "{":
            scopes.append(("other" if inside else brace_kind(head, parens), line))
            if scopes[-1][0] == "scope":
                head = ""
        elif char == "}" and scopes:
            kind, first = scopes.pop()
            if kind == "function":
                yield first, line - first + 1
            # After an initializer such as a_{1} the head goes on, and looks like one that ended with ")".
            head = head + ")" if kind == "other" else ""
        elif not inside:
            parens += (char == "(") - (char == ")")
            head = "" if char == ";" and parens == 0 else head + char
            if char == ":" and re.search(r"\b(public|private|protected)\s*:$", head):
                head = ""


def brace_kind(head, parens):
    head = head.strip()
    if parens > 0 or head.endswith("="):
        return "other"
    if re.search(r"\b(namespace|extern)\b[^()]*$", head):
        return "scope"
    head_plain = re.sub(r"\btemplate\s*<[^{]*?>\s*(?=(class|struct|union|enum)\b)", "", head)
    if re.match(r"(export\s+|typedef\s+)*(class|struct|union|enum)\b(?!.*\)\s*(const|noexcept|override)?$)",
                head_plain, re.DOTALL) and not head_plain.endswith(")"):
        return "scope"
    if re.search(r"\)[\s&]*((const|noexcept|override|final|mutable|try)[\s&]*)*(->[^=;]*|requires\b.*)?$",
                 head, re.DOTALL):
        return "function"
    return "other"


# --- Checks -----------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)")', re.MULTILINE)


class Checker:
    def __init__(self, root):
        self.root = root
        self.violations = []
        self.standard, self.own, self.uses = {}, {}, {}  # of each file: what it includes; where it first needs which header

    def report(self, path, line, text):
        self.violations.append(f"{path}:{line}: {text}")

    def run(self):
        for folder in FOLDERS:
            for file in sorted((self.root / folder).rglob("*")):
                if "node_modules" in file.parts:  # others' code, which git ignores
                    continue
                if file.suffix in (".cpp", ".hpp", ".inc") and file.is_file():
                    self.check(file.relative_to(self.root).as_posix(), file.read_text(errors="replace"))
        for path, uses in self.uses.items():
            included = self.standard_of(path)
            for header, line in uses.items():
                if header not in included:
                    self.report(path, line, f"include <{header}>: it is here only where it is precompiled, or in a unity build")
        return self.violations

    def standard_of(self, path):
        """The standard headers that a file includes, also through headers of ours."""
        found, seen, rest = set(), set(), [path]
        while rest:
            each = rest.pop()
            if each not in seen:
                seen.add(each)
                found |= self.standard.get(each, set())
                rest += self.own.get(each, ())
        return found.union(*(STANDARD_BRINGS.get(each, set()) for each in found))

    def note_uses(self, path, code):
        found = ((header, names.search(code)) for header, names in STANDARD_NAMES.items())
        self.uses[path] = {header: code.count("\n", 0, match.start()) + 1 for header, match in found if match}

    def check(self, path, text):
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match.group(2):
                self.check_own(path, line, match.group(2))
            else:
                self.check_library(path, line, match.group(1))
        self.standard[path] = {match.group(1) for match in INCLUDE.finditer(text) if match.group(1)}
        self.own[path] = [match.group(2) for match in INCLUDE.finditer(text) if match.group(2)]
        code = code_only(text)
        self.note_uses(path, code)
        self.check_bans(path, text, code)
        self.check_sizes(path, text, code)

    def check_own(self, path, line, included):
        if included.split("/")[0] not in FOLDERS or ".." in included:
            self.report(path, line, f'"{included}": write includes from the root of the repository, libraries in <>')
            return
        self.check_asio(path, line, included)
        if path in VOCABULARY:
            if included not in VOCABULARY:
                self.report(path, line, f"a vocabulary header includes {included}, which is not vocabulary")
            return
        folder = max((f for f in MAY_INCLUDE if lies_in(path, f)), key=len)
        for allowed in MAY_INCLUDE[folder]:
            if included in VOCABULARY if allowed == "vocabulary" else included.startswith(allowed):
                return
        self.report(path, line, f"{folder}/ may not include {included}; allowed: {', '.join(MAY_INCLUDE[folder])}")

    def check_asio(self, path, line, included):
        if included in ASIO_HEADERS and path.endswith(".hpp") and path not in ASIO_HEADERS:
            self.report(path, line, f"{included} in a header: include it in the source only (Asio costs seconds a file)")
        if included in ASIO_HEADERS and not any(lies_in(path, f) for f in ("ipc", "daemon", "client", "tests", "bench")):
            self.report(path, line, f"{included}: Asio is for ipc/, daemon/ and client/")

    def check_library(self, path, line, included):
        if path.startswith("pool/"):
            if included not in POOL_STD:
                self.report(path, line, f"<{included}> is not on the core's list of standard headers")
            return
        if path.startswith("tests/sim/") and not path.endswith("_test.cpp"):
            if "/" in included and not included.startswith(SYSTEM_FOLDERS):
                self.report(path, line, f"<{included}>: the simulator uses pool/ and the standard library alone")
            return
        for begin, folders in LIBRARIES.items():
            if included.startswith(begin):
                if begin in ("boost/asio", "boost/system/") and path == ASIO_WRAPPER:
                    return
                if begin == "boost/beast" and path.endswith(".hpp"):
                    self.report(path, line, f"<{included}> in a header: include it in the source only")
                elif not any(lies_in(path, folder) for folder in folders):
                    where = ", ".join(folders) or f"{ASIO_WRAPPER} alone; include that"
                    self.report(path, line, f"<{included}> is for {where}")
                return
        if "/" in included and not included.startswith(SYSTEM_FOLDERS):
            self.report(path, line, f"<{included}>: unknown library; if it was decided on, add it to LIBRARIES in "
                        "scripts/check_includes.py")

    def check_bans(self, path, text, code):
        for match in MARKS.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            self.report(path, line, f"{match.group()}: do it now, or open an issue")
        for pattern, folders, exempt, instead in BANS:
            if not any(lies_in(path, f) for f in folders) or any(lies_in(path, f) for f in exempt):
                continue
            for match in re.finditer(pattern, code):
                line = code.count("\n", 0, match.start()) + 1
                self.report(path, line, f"{match.group().strip('(').strip()}: {instead}")

    def check_sizes(self, path, text, code):
        lines_max = HEADER_LINES_MAX if path.endswith(".hpp") else SOURCE_LINES_MAX
        lines = text.count("\n")
        if lines > lines_max:
            self.report(path, lines, f"{lines} lines, at most {lines_max}: it is two files")
        for first, length in functions(code):
            if length > FUNCTION_LINES_MAX:
                self.report(path, first, f"a function of {length} lines, at most {FUNCTION_LINES_MAX}: split it")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    violations = Checker(parser.parse_args().root).run()
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
