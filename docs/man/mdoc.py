# SPDX-License-Identifier: MIT
"""Writes manual pages in mdoc(7): a Page takes prose, lists and code, and marks up what it knows by its look."""
import os
import re
import textwrap
import time

LINE = 78


def escape(text):
    return text.replace("\\", "\\e")


def literal(text):
    """Text that is to be copied as it stands: quotes and dashes are not to become typographic ones."""
    for plain, exact in [("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")]:
        text = text.replace(plain, exact)
    return text


def argument(text):
    """A macro's argument: quoted when it has blanks, and never taken for a macro."""
    text = escape(text).replace('"', '\\(dq')
    if re.fullmatch(r"[A-Z][a-z]", text) or text and text[0] in ".,:;?!)]([|":
        text = "\\&" + text
    return f'"{text}"' if " " in text or text == "" else text


def date():
    """Of the page: SOURCE_DATE_EPOCH, or today."""
    moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time()))
    return time.strftime("%B ", moment) + str(moment.tm_mday) + time.strftime(", %Y", moment)


class Page:
    """One page. `mark` says what a word is: it returns a macro with its arguments as a list, or None."""

    def __init__(self, name, section, description, version, mark=lambda word: None):
        self.name, self.section, self.mark = name, section, mark
        self.lines = [f".Dd {date()}", f".Dt {name.upper()} {section}", f".Os weft {version}",
                      ".Sh NAME", f".Nm {argument(name)}", ".Nd " + escape(description.rstrip("."))]
        self.also = set()  # (name, section)

    def macro(self, name, *arguments):
        self.lines.append(" ".join([f".{name}", *(argument(text) for text in arguments)]))

    def heading(self, title):
        self.macro("Sh", *title.split(" "))

    def subheading(self, title):
        self.macro("Ss", *title.split(" "))

    def paragraph(self):
        """Begins a paragraph, but not where one begins anyway."""
        if not re.match(r"\.(Sh|Ss|Pp|It|El|Ed)\b", self.lines[-1]) or self.lines[-1] in (".El", ".Ed"):
            self.lines.append(".Pp")

    def block(self, *words):
        """Begins a display or list, which begins a paragraph of its own."""
        if self.lines[-1] == ".Pp":
            self.lines.pop()
        self.macro(*words)

    def code(self, text):
        self.block("Bd", "-literal", "-offset", "indent")
        for line in text.rstrip("\n").split("\n"):
            line = literal(escape(line.expandtabs()))
            self.lines.append("\\&" + line if line.startswith(".") else line)
        self.macro("Ed")

    def list(self, rows):
        """Rows of (term, prose); a term is a list of macro words or a text."""
        self.block("Bl", "-tag", "-width", "Ds")
        for term, prose in rows:
            self.lines.append(".It " + (" ".join(term) if isinstance(term, list) else argument(term)))
            self.prose(prose)
        self.macro("El")

    def prose(self, text):
        """Sentences, each on lines of its own; what `mark` knows becomes a macro."""
        plain = []

        def flush():
            if plain:
                for line in textwrap.wrap(" ".join(plain), LINE, break_long_words=False, break_on_hyphens=False):
                    self.lines.append("\\&" + line if line[0] in ".'" else line)
                plain.clear()

        for word in words(text):
            head, core, tail = re.match(r"([(\[]*)(.*?(?:\w\(\))?)([.,:;?!)\]]*)$", word).groups()
            marked = self.mark(core) if core else None
            if marked:
                flush()
                self.lines.append(" ".join(["." + marked[0], *head, *map(argument, marked[1:]), *tail]))
                if marked[0] == "Xr":
                    self.also.add((marked[1], marked[2]))
            else:
                plain.append(escape(word))
            if re.search(r"[a-z0-9)\]][.?!][)\"]?$", word) and not re.search(r"\b(e\.g|i\.e)\.$", word):
                flush()
        flush()

    def text(self):
        """The page, with what it refers to at its end."""
        also = sorted(self.also - {(self.name, self.section)}, key=lambda it: (it[1], it[0].lower()))
        lines = list(self.lines)
        if also:
            lines.append(".Sh SEE ALSO")
            lines += [f".Xr {name} {section}" + (" ," if at < len(also) - 1 else "")
                      for at, (name, section) in enumerate(also)]
        return "\n".join(lines) + "\n"


def words(text):
    """Words, those between backquotes kept together with what touches them."""
    return re.findall(r"[^\s`]*`[^`]*`[^\s`]*|\S+", text)


def write(folder, pages):
    """Writes pages into a folder of their own and nothing else into it; the folder's time says that it is new."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    for page in pages:
        with open(os.path.join(folder, f"{page.name}.{page.section}"), "w", encoding="utf-8") as file:
            file.write(page.text())
