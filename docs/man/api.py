# SPDX-License-Identifier: MIT
"""Manual pages of libweft from what its headers say: api.py VERSION OUT EXAMPLE HEADER...

One page for each function, struct, enum, callback type and constant that has a comment of its own, and libweft(3)
as the way in. A function without a comment, a comment that names a parameter which is not there, and a reference to
what does not exist are errors, so the pages cannot be older than the headers.
"""
import os
import re
import sys

import mdoc

SECTION = re.compile(r"^// -+ (\w[\w ]*)$")
CALLED = re.compile(r"\b(weft_\w+)\(")
NAMED = re.compile(r"^(?:(?:struct|enum) (weft_\w+)|#define (WEFT_\w+))")
IGNORED = {"WEFT_MUST_USE", "WEFT_API", "WEFT_STATUS_MAP", "WEFT_STATUS_ENUM"}


class Declaration:
    """Something public: its comment, its code, and where it stands."""

    def __init__(self, header, section, comment, code):
        self.header, self.section = header, section
        self.code = re.sub(r"^WEFT_API (WEFT_MUST_USE )?", "", code).rstrip()
        self.is_function = code.startswith("WEFT_API")
        found = (CALLED if code.startswith(("WEFT_API", "typedef")) else NAMED).search(self.code)
        self.name = next(filter(None, found.groups())) if found else None
        self.intro, self.parameters, self.returns = take_apart(comment)

    def signature(self):
        """(type, [parameter, ...]) of a function or a callback type."""
        flat = re.sub(r"\s+", " ", self.code).rstrip(";")
        before, _, after = flat.partition(self.name + "(")
        depth, parts = 0, [""]
        for letter in after[:-1]:
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                parts.append("")
            else:
                parts[-1] += letter
        return before.strip(), [part.strip() for part in parts]


def take_apart(comment):
    """A comment's prose, its parameters as (names, prose), and what is said of the answer."""
    pieces = re.split(r"@(param|return)\b", comment)
    intro, parameters, returns = pieces[0], [], ""
    for tag, text in zip(pieces[1::2], pieces[2::2]):
        cost = re.search(r"(?:^|\s)Cost: .*", text, re.DOTALL)
        if cost:
            text, intro = text[:cost.start()], intro + "\n\n" + cost.group(0).strip()
        if tag == "return":
            returns = text.strip()
        else:
            names, prose = re.match(r"\s*((?:\w+, )*\w+)\s+(.*)", text, re.DOTALL).groups()
            parameters.append((names.split(", "), prose.strip()))
    return intro.strip(), parameters, returns


def comment_text(lines):
    return "\n".join(re.sub(r"^///? ?", "", line) for line in lines)


def expanded(code, table):
    """An enum whose constants stand in a table, written out."""
    rows = re.findall(r"X\((\w+), (\d+), +\"([^\"]*)\"", table)
    width = max(len(f"{name} = {value},") for name, value, _ in rows)
    lines = [f"    WEFT_{f'{name} = {value},'.ljust(width)} // {text}" for name, value, text in rows]
    return "\n".join([code.split("\n")[0], *lines, "};"])


def declaration_ends(first, line):
    if first.startswith("#define"):
        return not line.endswith("\\")
    if first.startswith(("struct", "enum")) and first.endswith("{"):
        return line == "};"
    return line.endswith(";")


def read(path):
    """A header's own comment, and its declarations in their order."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    head = []
    for line in lines[1:]:
        if not line.startswith("//"):
            break
        head.append(line)
    name = "weft/" + os.path.basename(path)
    section, comment, found, at = "", [], [], len(head) + 1
    while at < len(lines):
        line = lines[at]
        if SECTION.match(line):
            section = SECTION.match(line).group(1)
        elif line.startswith("///"):
            comment.append(line)
        elif re.match(r"WEFT_API|struct|enum|typedef|#define", line):
            end = at
            while not declaration_ends(line, lines[end]):
                end += 1
            found.append(Declaration(name, section, comment_text(comment), "\n".join(lines[at:end + 1])))
            comment, at = [], end
        elif line == "" or not line.startswith("//"):
            comment = []
        at += 1
    for it in found:
        if "WEFT_STATUS_MAP(" in it.code and it.name == "weft_status":
            it.code = expanded(it.code, "\n".join(lines))
    return comment_text(head), [it for it in found if it.name and it.name not in IGNORED]


def merged(declarations):
    """By name: a function may be called as the struct that it gives is."""
    names = {}
    for it in declarations:
        if it.is_function or it.intro or not it.code.startswith("#define"):
            names.setdefault(it.name, []).append(it)
    return names


def marker(name, names, parameters=()):
    """Of one page: what a word is."""
    def mark(word):
        quoted = word.startswith("`") and word.endswith("`") and len(word) > 2
        core = word[1:-1] if quoted else word
        if core in parameters and quoted:
            return ["Fa", core]
        bare = core.removesuffix("()")
        if bare in names:
            return ["Nm" if bare == name else "Xr", *([bare] if bare == name else [bare, "3"])]
        if re.fullmatch(r"weft_\w+(\(\))?", core):
            raise SystemExit(f"{name}: refers to {core}, which is not public")
        if re.fullmatch(r"WEFT_[A-Z0-9_]+|NULL|UINT64_MAX", core):
            return ["Dv", core]
        if re.fullmatch(r"\*\w+\*", core):
            return ["Em", core.strip("*")]
        if re.fullmatch(r"(docs|weft)/[\w./-]+", core):
            return ["Pa", core]
        return ["Ql", core] if quoted else None
    return mark


def first_sentence(it):
    """What a page's name is followed by."""
    sentence = re.match(r".*?[a-z0-9)`](?=[.:](\s|$)|$)", re.sub(r"\s+", " ", it.intro.split("\n\n")[0]))
    text = re.sub(r"[`]", "", sentence.group(0)) if sentence else it.name
    return text[0].lower() + text[1:] if text[1:2].islower() or text.startswith("A ") else text


def capital(text):
    return text if text.startswith("weft_") else text[0].upper() + text[1:]


def paragraphs(page, text):
    """Prose, and drawings as they are: indented lines are no prose."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        for piece in re.findall(r"(?:^ {2,}.*\n?)+|(?:^(?! {2,}).*\n?)+", block, re.MULTILINE):
            page.paragraph()
            if piece.startswith("  "):
                page.code("\n".join(line[2:] for line in piece.rstrip("\n").split("\n")))
            else:
                page.prose(piece)


def page_of(name, its, names, version):
    function = next((it for it in its if it.is_function), None)
    first = function or its[0]
    callback = not first.is_function and first.code.startswith("typedef")
    types, arguments = first.signature() if function or callback else ("", [])
    known = {(re.search(r"\(\*(\w+)\)", each) or re.search(r"(\w+)(?:\[\d*\])?$", each)).group(1)
             for each in arguments}
    for asked, _ in first.parameters:
        if not set(asked) <= known:
            raise SystemExit(f"{first.header}: {name} has no parameter {', '.join(sorted(set(asked) - known))}")
    if function and not first.intro:
        raise SystemExit(f"{first.header}: {name} has no comment")
    page = mdoc.Page(name, "3", first_sentence(first) if first.intro else its[0].code.split(" {")[0].rstrip(";"),
                     version, marker(name, names, known))
    page.heading("SYNOPSIS")
    page.macro("In", first.header)
    if function:
        page.macro("Ft", types)
        page.macro("Fo", name)
        for each in arguments:
            page.macro("Fa", each)
        page.macro("Fc")
    for it in its:
        if it is not function:
            page.code(it.code)
    page.heading("DESCRIPTION")
    for it in its:
        paragraphs(page, it.intro or f"See {it.name}.")
    if first.parameters:
        page.paragraph()
        page.list([(["Fa", " , ".join(asked)], prose) for asked, prose in first.parameters])
    if first.returns:
        page.heading("RETURN VALUES")
        page.prose(capital(first.returns))
    for other in re.findall(r"\bweft_\w+", " ".join([types, *arguments, *(it.code for it in its)])):
        if other in names and other != name:
            page.also.add((other, "3"))
    page.also.add(("libweft", "3"))
    return page


def overview(headers, names, version, example):
    page = mdoc.Page("libweft", "3", "replicated text that merges without a centre", version, marker("libweft", names))
    page.heading("SYNOPSIS")
    page.macro("In", "weft/weft.h")
    page.lines += [".Pp", ".Nm cc", ".Ar program.c", ".Li $(pkg-config \\-\\-cflags \\-\\-libs weft\\&)"]
    page.heading("DESCRIPTION")
    for header, (intro, declarations) in headers.items():
        if header == "weft/weft.h":
            continue
        page.subheading(header)
        paragraphs(page, intro)
        page.paragraph()
        page.list([([("Fn" if it.is_function else "Vt" if "weft" in it.name else "Dv"), it.name],
                    capital(first_sentence(it)) + ".")
                   for it in declarations if it.intro and it.name in names])
        page.also |= {(it.name, "3") for it in declarations if it.name in names}
    page.heading("EXAMPLES")
    with open(example, encoding="utf-8") as file:
        page.code(file.read())
    page.also.add(("weft", "1"))
    return page


def main(version, out, example, *paths):
    in_order = sorted(paths, key=lambda path: (not path.endswith("/doc.h"), path))
    headers = {"weft/" + os.path.basename(path): read(path) for path in in_order}
    declarations = [it for _, its in headers.values() for it in its]
    names = merged(declarations)
    pages = []
    for name, its in names.items():
        pages.append(page_of(name, its, names, version))
    mdoc.write(out, [overview(headers, names, version, example), *pages])


if __name__ == "__main__":
    main(*sys.argv[1:])
