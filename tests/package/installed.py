#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs weft below a scratch folder, and builds and runs a reader's program with what pkg-config says of it."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

from support import tap

BUILD, SOURCE = os.environ["WEFT_BUILD"], os.environ["WEFT_SOURCE"]
SCRATCH = tempfile.TemporaryDirectory(prefix="weft-installed-")
ROOT = os.path.join(SCRATCH.name, "root")
PREFIX = ROOT + os.environ["WEFT_PREFIX"]
LIBDIR = os.path.join(PREFIX, os.environ["WEFT_LIBDIR"])
MANUAL = os.path.join(PREFIX, os.environ["WEFT_MANDIR"], "man*/*")
EXAMPLE = os.path.join(SOURCE, "docs/examples/two_writers.c")
DECLARED = re.compile(r"^WEFT_API\s[^;({]*?\b(weft_\w+)\(", re.MULTILINE)
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror"]


def run(*command, **environment):
    """A command's stdout; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRATCH.name,
                          env={**os.environ, **environment})
    assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def pkg_config(*options):
    """Words of weft's pkg-config file as if the scratch folder were the system."""
    return run("pkg-config", *options, "weft", PKG_CONFIG_PATH=os.path.join(LIBDIR, "pkgconfig"),
               PKG_CONFIG_SYSROOT_DIR=ROOT).split()


def build(name, *options):
    """The example, compiled with what pkg-config says and nothing else."""
    program = os.path.join(SCRATCH.name, name)
    run(shutil.which("cc") or "clang", *WARNINGS, EXAMPLE, "-o", program, *options)
    return program


def check_says(text):
    """Two writers, one text and one digest."""
    lines = text.splitlines()
    assert len(lines) == 2 and lines[0] == lines[1], text
    assert re.fullmatch(r"(w(arp|eft) ){6} [0-9a-f]{8}", lines[0]), text
    assert lines[0].count("warp") == 3, text


def installs():
    """meson install leaves the program, both libraries, all public headers and a pkg-config file."""
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", ROOT)
    public = {os.path.basename(path) for path in glob.glob(os.path.join(SOURCE, "include/weft/*.h"))}
    there = set(os.listdir(os.path.join(PREFIX, "include/weft")))
    assert there == public, f"not both installed and in include/weft: {there ^ public}"
    for name in ["libweft.so", "libweft.so.0", "libweft.a", "pkgconfig/weft.pc"]:
        assert os.path.isfile(os.path.join(LIBDIR, name)), name
    name = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", os.path.join(LIBDIR, "libweft.so")))
    assert name and name.group(1) == "libweft.so.0", name
    assert os.path.islink(os.path.join(LIBDIR, "libweft.so.0"))


def versions():
    """The program, the headers and the pkg-config file are of one version."""
    version = pkg_config("--modversion")[0]
    assert run(os.path.join(PREFIX, "bin/weft"), "--version").split()[1] == version
    with open(os.path.join(PREFIX, "include/weft/weft.h"), encoding="utf-8") as file:
        assert ".".join(re.findall(r"^#define WEFT_VERSION_\w+ (\d+)", file.read(), re.MULTILINE)) == version


def shared():
    """A program built with pkg-config --cflags --libs alone runs with the shared library."""
    assert not any("sodium" in word for word in pkg_config("--libs")), "what libweft needs is its own business"
    program = build("shared", *pkg_config("--cflags", "--libs"))
    needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", program))
    assert "libweft.so.0" in needed, needed
    check_says(run(program, LD_LIBRARY_PATH=LIBDIR))


def static():
    """The same, static: pkg-config --static names all that the archive needs."""
    if not glob.glob(os.path.join(run("pkg-config", "--variable=libdir", "libsodium").strip(), "libsodium.a")):
        raise tap.Skip("no static libsodium here")
    check_says(run(build("static", "-static", *pkg_config("--static", "--cflags", "--libs"))))


def insides():
    """The static library leaves its own names to whoever links it."""
    names = ["rga_apply", "rga_init", "map_find", "hash_init", "tree_seek", "text_init"]
    source = os.path.join(SCRATCH.name, "insides.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <weft/weft.h>\n")
        file.writelines(f"int {name}(void);\nint {name}(void) {{ return 0; }}\n" for name in names)
        file.write("int main(void)\n{\n    struct weft_doc *doc = (struct weft_doc *)0;\n"
                   "    enum weft_status status = weft_doc_create(&doc, (void *)0);\n"
                   "    weft_doc_destroy(doc);\n    return (int)status;\n}\n")
    program = os.path.join(SCRATCH.name, "insides")
    words = [word for word in pkg_config("--static", "--cflags", "--libs") if word != "-lweft"]
    run(shutil.which("cc") or "clang", *WARNINGS, source, "-o", program, os.path.join(LIBDIR, "libweft.a"), *words)
    run(program)


def manual():
    """There is a manual page for each command, each public function and the configuration, and no reference to none."""
    pages = {os.path.basename(path): path for path in glob.glob(MANUAL)}
    overview = run(os.path.join(PREFIX, "bin/weft"), "help")
    commands = re.findall(r"^  (\w+(?: \w+)?) {2,}\S", overview, re.MULTILINE)
    wanted = {"weft.1", "libweft.3", "weft.conf.5", *(f"weft-{name.replace(' ', '-')}.1" for name in commands)}
    for path in glob.glob(os.path.join(SOURCE, "include/weft/*.h")):
        with open(path, encoding="utf-8") as file:
            wanted |= {f"{name}.3" for name in DECLARED.findall(file.read())}
    assert len(commands) > 20 and len(wanted) > 75, f"{len(commands)} commands, {len(wanted)} pages"
    assert wanted <= set(pages), f"no page: {sorted(wanted - set(pages))}"
    for name, path in pages.items():
        with open(path, encoding="utf-8") as file:
            for to, section in re.findall(r"^\.(?:It )?Xr (\S+) (\d)", file.read(), re.MULTILINE):
                assert f"{to}.{section}" in pages, f"{name} refers to {to}({section})"


def lint():
    """mandoc finds nothing to say about the manual pages."""
    if not shutil.which("mandoc"):
        raise tap.Skip("no mandoc")
    said = subprocess.run(["mandoc", "-Tlint", "-Wstyle", *glob.glob(MANUAL)], capture_output=True, text=True,
                          check=False).stdout.splitlines()
    # Whether references lead somewhere, on this system and not in the scratch folder, it sees as well.
    faults = [line for line in said if "referenced manual not found" not in line]
    assert not faults, "\n".join(faults[:20])


tap.run(installs, versions, shared, static, insides, manual, lint)
