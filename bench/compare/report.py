"""What a run found: tables in markdown, all figures in JSON, plots."""
import json
import os
import platform
import statistics
import subprocess
import sys

MIB = 1 << 20
NOTHING = "—"


def size_text(payload_bytes):
    if payload_bytes >= MIB:
        return f"{payload_bytes // MIB} MiB"
    return f"{payload_bytes // 1024} KiB" if payload_bytes >= 1024 else f"{payload_bytes} B"


def case_text(case):
    return f"{case.group}, {case.workers} workers, {size_text(case.payload_bytes)}, {case.outstanding} outstanding"


def short(number):
    """Three digits, as people read them."""
    if number >= 100:
        rounded = round(number, 3 - len(str(int(number))))
        return f"{rounded:,.0f}"
    return f"{number:.3g}"


def spread(values):
    """Median, and the least and the most."""
    if not values:
        return NOTHING
    middle = short(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({short(min(values))} to {short(max(values))})"


def ratios(results, case, peer, base, field="per_second"):
    """Of the peer to the base, in each round that both did."""
    own, others = ({figure["round"]: figure[field] for figure in results.of(case, name)} for name in (peer, base))
    return [own[number] / others[number] for number in own if others.get(number)]


def ratio_text(values):
    return f"{statistics.median(values):.2g}" if values else NOTHING


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def overview(results, peers, cases):
    """Tasks a second of all echo cases, a column each, with the ratio to warmpool."""
    def cell(case, peer):
        values = [figure["per_second"] for figure in results.of(case, peer.name)]
        if not values:
            return NOTHING
        ratio = ratios(results, case, peer.name, "warmpool")
        return short(statistics.median(values)) + (f" ({ratio_text(ratio)})" if ratio and peer.name != "warmpool" else "")
    head = ["peer", *(f"{size_text(case.payload_bytes)}, {case.outstanding:,}" for case in cases)]
    return table(head, [[peer.name, *(cell(case, peer) for case in cases)] for peer in peers if any(results.of(case, peer.name) for case in cases)])


def details(results, peers, case):
    rows = []
    for peer in peers:
        figures = results.of(case, peer.name)
        if not figures:
            continue
        def column(field):
            return [figure[field] for figure in figures if figure.get(field) is not None]
        own = ratios(results, case, peer.name, peer.base) if peer.base not in ("warmpool", peer.name) else []
        rows.append([peer.name, spread(column("per_second")), ratio_text(ratios(results, case, peer.name, "warmpool")), ratio_text(own),
                     spread(column("p50_us")), spread(column("p99_us")), spread(column("cpu_us"))])
    return table(["peer", "tasks/s", "of warmpool", "of warmpool in its language", "p50 µs", "p99 µs", "CPU µs a task"], rows)


def idle_table(results, peers):
    def row(name):
        idle = results.idle[name]
        return [name, f"{idle['cpu_percent']:.2f}", short(idle["pss_bytes"] / MIB), short(idle["server_rss_bytes"] / MIB), str(idle["processes"])]
    return table(["peer", "CPU, % of a core", "memory, MiB", "of its first process, MiB", "processes"],
                 [row(peer.name) for peer in peers if peer.name in results.idle])


def waiting_table(results, peers):
    def row(name):
        rows, base = results.waiting[name], {row["round"]: row["per_second"] for row in results.waiting.get("warmpool", [])}
        ratio = [row["per_second"] / base[row["round"]] for row in rows if base.get(row["round"])]
        return [name, f"{max(row['tasks'] for row in rows):,}", spread([row["per_second"] for row in rows]), ratio_text(ratio),
                spread([row["bytes_each"] for row in rows])]
    return table(["peer", "tasks", "accepted/s", "of warmpool", "bytes each beyond the payload"],
                 [row(peer.name) for peer in peers if peer.name in results.waiting])


def machine_line():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{os.cpu_count()} cores ({models[0] if models else 'of an unknown kind'}), Linux {platform.release()}"


def versions(peers):
    packages = sorted({package for peer in peers for package in peer.packages})
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *packages], capture_output=True, text=True, check=False).stdout if packages else ""
    here = os.path.dirname(os.path.abspath(__file__))
    for module in sorted({module for peer in peers for module in peer.modules}):
        with open(os.path.join(here, "node_modules", module, "package.json"), encoding="utf-8") as file:
            said += f"{module} {json.load(file)['version']}, "
    return f"{said}Python {platform.python_version()}"


def sections(results, peers):
    echo = [case for case in results.cases if case.group == "echo"]
    for workers in sorted({case.workers for case in echo}):
        cases = [case for case in echo if case.workers == workers]
        yield f"Echo, {workers} workers: tasks a second, by payload and outstanding (in brackets: times warmpool)", overview(results, peers, cases)
    for case in results.cases:
        if case.group in ("echo", "large", "pinned") and (case.group != "echo" or (case.workers, case.payload_bytes) == (2, 64)):
            yield case_text(case)[0].upper() + case_text(case)[1:], details(results, peers, case)
    for case in results.cases:
        if case.group.startswith("durable"):
            yield case_text(case)[0].upper() + case_text(case)[1:], details(results, peers, case)
    if results.waiting:
        yield "Waiting tasks of 64 B, 1,000 submits outstanding", waiting_table(results, peers)
    if results.idle:
        workers = next(iter(results.idle.values()))["workers"]
        yield f"Idle, {workers} workers: client, server and workers together", idle_table(results, peers)


def remarks(results, peers):
    lines = [f"- {peer.name}: {peer.note}" + (f". Durable: {peer.durable_note}" if peer.durable_note else "") for peer in peers if peer.note]
    lines += [f"- {name} was not measured: {why}" for name, why in results.skipped.items()]
    lines += [f"- {name} is too slow to be measured in reasonable time at: {'; '.join(places)}" for name, places in results.too_slow.items()]
    lines += [f"- {name} failed at: {where}: {why}" for name, places in results.failures.items() for where, why in places.items()]
    return "\n".join(lines) + "\n"


def markdown(results, peers, options, seconds):
    parts = [f"{machine_line()}. {options.rounds} rounds in turns of {options.seconds} s, {seconds / 60:.0f} minutes. Medians (least to most); "
             f"ratios are medians of those within rounds. Every answer was checked.\n\n{versions(peers)}.\n"]
    parts += [f"### {title}\n\n{body}" for title, body in sections(results, peers)]
    return "\n".join(parts + ["### What differs\n\n" + remarks(results, peers)])


def document(results, peers, options, seconds):
    echo = [{**case.key(), "peers": {peer.name: {
        "ratio_to_warmpool": statistics.median(found) if (found := ratios(results, case, peer.name, "warmpool")) else None,
        "rounds": results.of(case, peer.name)} for peer in peers if results.of(case, peer.name)}} for case in results.cases]
    return {"schema": 1, "bench": "compare", "machine": machine_line(), "versions": versions(peers), "rounds": options.rounds,
            "turn_seconds": options.seconds, "seconds": seconds, "cases": echo, "idle": results.idle, "waiting": results.waiting,
            "skipped": results.skipped, "too_slow": results.too_slow, "failures": results.failures}


def plots(results, peers, folder):
    """One picture of bars for each echo case with 64 B. Without matplotlib there are none, and nothing else misses it."""
    try:
        import matplotlib
    except ImportError:
        return "no plots: matplotlib is not installed (Debian: python3-matplotlib)"
    matplotlib.use("Agg")
    from matplotlib import pyplot
    for case in results.cases:
        if case.group == "echo" and case.payload_bytes == 64:
            plot(results, peers, case, pyplot, os.path.join(folder, f"echo-{case.workers}-{case.outstanding}.svg"))
    return f"plots are in {folder}"


def plot(results, peers, case, pyplot, path):
    rows = [(peer, [figure["per_second"] for figure in results.of(case, peer.name)]) for peer in peers if results.of(case, peer.name)]
    rows.sort(key=lambda row: statistics.median(row[1]))
    middles = [statistics.median(values) for _, values in rows]
    errors = [[middle - min(values) for middle, (_, values) in zip(middles, rows)], [max(values) - middle for middle, (_, values) in zip(middles, rows)]]
    figure, axes = pyplot.subplots(figsize=(8, 0.32 * len(rows) + 1.2), layout="constrained")
    colours = ["#c2571a" if peer.name.startswith("warmpool") else "#7a8793" for peer, _ in rows]
    axes.barh([peer.name for peer, _ in rows], middles, xerr=errors, color=colours, ecolor="#333333", capsize=2)
    axes.set_xscale("log")
    axes.set_xlabel("tasks a second (logarithmic), median, least to most")
    axes.set_title(f"Echo of 64 B, {case.workers} workers, {case.outstanding:,} outstanding", loc="left", fontsize=11)
    axes.margins(y=0.01)
    figure.savefig(path)
    pyplot.close(figure)


def write(results, peers, options, seconds):
    os.makedirs(options.out, exist_ok=True)
    text = markdown(results, peers, options, seconds)
    with open(os.path.join(options.out, "compare.md"), "w", encoding="utf-8") as file:
        file.write(text)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document(results, peers, options, seconds), file, indent=1)
    print(text)
    print(f"compare: {plots(results, peers, options.out)}", file=sys.stderr)
