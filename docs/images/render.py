#!/usr/bin/env python3
"""Draws tour.svg from what the commands of README's tour really print. Usage: docs/images/render.py PATH-OF-INDELIBLE

Starts a server with sample traffic in a folder of its own, runs the commands and draws their output as a terminal shows it: lines
that are too long end in an ellipsis, long outputs are shortened where a line of three dots stands. Nothing else is changed.
"""
import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

COLUMNS = 112
CELL, LINE, PAD, BAR = 7.83, 18, 18, 34
HERE = pathlib.Path(__file__).parent
PORT = os.environ.get("TOUR_PORT", "7411")

# What is typed, and which lines of the output are shown.
STEPS = [
    ("""curl -sS $INDELIBLE_URL/v1/events -H "Authorization: Bearer $INDELIBLE_TOKEN" \\
  -d '{"time":"2026-11-23T10:15:30+01:00","actor":{"id":"ana@example.com","type":"human"},"action":"read",
       "resources":[{"type":"dataset","id":"customers"}],"outcome":{"result":"allowed"}}'""", slice(0, 1)),
    ("indelible search 'outcome:denied' --limit 4", slice(None)),
    ("indelible sql 'select actor_id, count(*) n from events group by 1 order by n desc limit 3'", slice(None)),
    ("indelible checkpoint > kept", slice(None)),
    ("indelible verify indelible-data/logs/main --from kept --key pinned.vkey", slice(None)),
    ("indelible drill", None),
]
COLOURS = [
    (r"\b(intact|detected|allowed|unchanged)\b", "good"),
    (r"\b(denied|disk \+ key|unknown|not guarded)\b", "warn"),
    (r"^(INTEGRITY|WITNESS|COMPLETENESS|TIME)\b", "bold"),
]


def shown(lines):
    """The drill's table is long: its head, a few rows and its last line."""
    rows = [line for line in lines if line.startswith(("#", "1 ", "3 ", "8 ", "20 ", "25c "))]
    return rows + ["…", lines[-1] if lines[-1].strip() else lines[-2]]


def ask(command, env, cwd):
    done = subprocess.run(["bash", "-c", command], env=env, cwd=cwd, capture_output=True, text=True, check=False)
    return [line.rstrip() for line in done.stdout.splitlines() if not line.startswith("Attacked a copy")]


def run(binary):
    """All steps in a fresh folder; gives (kind, text) lines."""
    with tempfile.TemporaryDirectory() as folder:
        bin_folder = pathlib.Path(folder, "bin")
        bin_folder.mkdir()
        (bin_folder / "indelible").symlink_to(pathlib.Path(binary).resolve())
        token = "only-for-this-picture-0123456789abcdef"
        env = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "INDELIBLE_TOKEN": token, "INDELIBLE_ADMIN_TOKEN": token,
               "INDELIBLE_URL": f"http://127.0.0.1:{PORT}", "HOME": folder}
        server = subprocess.Popen(["indelible", "serve", "--demo", "--listen", f"127.0.0.1:{PORT}"], env=env, cwd=folder,
                                  executable=bin_folder / "indelible", stderr=subprocess.DEVNULL)
        try:
            time.sleep(25)
            ask("cp indelible-data/logs/main/log.vkey pinned.vkey", env, folder)
            lines = []
            for command, part in STEPS:
                typed = command.replace("$INDELIBLE_URL", f"http://127.0.0.1:{PORT}").splitlines()
                lines += [("typed", ("$ " if n == 0 else "  ") + line) for n, line in enumerate(typed)]
                out = ask(command, env, folder)
                out = shown(out) if part is None else out[part]
                lines += [("out", line) for line in out if line.strip()] + [("out", "")]
                time.sleep(1)
            return lines[:-1]
        finally:
            server.terminate()
            server.wait()


def cut(text):
    return text if len(text) <= COLUMNS else text[: COLUMNS - 1] + "…"


def spans(kind, text):
    text = cut(text)
    if kind == "typed":
        return f'<tspan class="prompt">{html.escape(text[:2])}</tspan><tspan class="bold">{html.escape(text[2:])}</tspan>'
    marks = [None] * len(text)
    for pattern, colour in COLOURS:
        for match in re.finditer(pattern, text):
            marks[match.start() : match.end()] = [colour] * (match.end() - match.start())
    out, at = "", 0
    while at < len(text):
        end = at
        while end < len(text) and marks[end] == marks[at]:
            end += 1
        piece = html.escape(text[at:end])
        out += f'<tspan class="{marks[at]}">{piece}</tspan>' if marks[at] else piece
        at = end
    return out


def draw(lines):
    width = round(COLUMNS * CELL + 2 * PAD)
    height = BAR + len(lines) * LINE + PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<title>Record, find, check and attack: the tour in a terminal</title>",
        "<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d5dbe3;"
        "white-space:pre}.bold{fill:#fff;font-weight:600}.prompt{fill:#7aa2f7}.good{fill:#8fd18a}.warn{fill:#f0b866}</style>",
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10" fill="#171b22" stroke="#3a424e"/>',
        *(f'<circle cx="{20 + 18 * n}" cy="17" r="5" fill="{fill}"/>' for n, fill in enumerate(("#e06c75", "#e5c07b", "#98c379"))),
    ]
    for n, (kind, text) in enumerate(lines):
        y = BAR + n * LINE + 13
        length = f' textLength="{len(cut(text)) * CELL:.1f}" lengthAdjust="spacingAndGlyphs"' if text.strip() else ""
        parts.append(f'<text xml:space="preserve" x="{PAD}" y="{y}"{length}>{spans(kind, text)}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    (HERE / "tour.svg").write_text(draw(run(sys.argv[1])))
