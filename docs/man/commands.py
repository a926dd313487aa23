# SPDX-License-Identifier: MIT
"""Manual pages of the program from what it says itself: commands.py VERSION OUT1 OUT5 WEFT.

weft(1) from `weft help`, a page for each command from its help, weft.conf(5) from `weft config print`.
"""
import json
import os
import re
import subprocess
import sys

import mdoc

EXIT = re.compile(r"(\d) ([^,.]+)")


def say(weft, *words):
    """What the program says, without the configuration of whoever builds it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    return subprocess.run([weft, *words], capture_output=True, text=True, check=True, env=environment).stdout


def page_name(command):
    return "weft-" + command.replace(" ", "-")


def mark(word):
    """What a word is by its look."""
    if re.fullmatch(r"weft\.conf", word):
        return ["Xr", "weft.conf", "5"]
    if re.fullmatch(r"-{1,2}[a-z][a-z-]*", word):
        return ["Fl", word[1:]]
    if re.fullmatch(r"\$?WEFT_[A-Z_.]+", word):
        return ["Ev", word.lstrip("$")]
    if re.fullmatch(r"`.+`", word):
        return ["Ql", word[1:-1]]
    if re.fullmatch(r"[A-Z][A-Z]+(:[A-Z]+)?(\|[A-Z]+)?", word) and word not in ("HTTP", "JSON", "URL", "LMDB", "TCP"):
        return ["Ar", word]
    return None


class Help:
    """A command's help, taken apart."""

    def __init__(self, text):
        usage, rest = text.split("\n", 1)
        self.usage = re.fullmatch(r"usage: weft (.*)", usage).group(1)
        body, self.examples = rest.split("\nexamples:\n")
        before, _, options = body.partition("\n\n  ")
        self.summary, details = (before.strip("\n") + "\n").split("\n", 1)
        self.details = re.split(r"(?<=[.:])\n", details.strip("\n")) if details.strip() else []
        self.options = []
        for line in ("  " + options).rstrip("\n").split("\n"):
            found = re.match(r"  (?:(-\w), |    )--(\S+)(?: (\S+))?(?:\s{2,}|\s)(.*)", line)
            if not found:
                raise SystemExit(f"{self.usage}: an option that cannot be read: {line!r}")
            self.options.append(found.groups())


def option_term(letter, name, value):
    words = [*(["Fl", letter[1:], ","] if letter else []), "Fl", "-" + name]
    return words + (["Ar", mdoc.argument(value)] if value else [])


def synopsis(page, usage):
    """The usage line: capital words are arguments, brackets stand for what may be left out."""
    page.heading("SYNOPSIS")
    page.lines.append(".Nm weft")
    for word in usage.replace("[", " [ ").replace("]", " ] ").split():
        page.macro(*{"[": ["Oo"], "]": ["Oc"]}.get(word, None) or
                   (["Fl", word[1:]] if word.startswith("-") and word != "-" else
                    ["Ar", word] if re.match(r"[A-Z.|,]", word) else ["Cm", word]))


def exit_status(page, overview):
    page.heading("EXIT STATUS")
    codes = EXIT.findall(re.search(r"^Exit codes: (.*)$", overview, re.MULTILINE).group(1))
    page.list([(number, sentence(meaning)) for number, meaning in codes])


def command_page(command, text, commands, version, overview):
    told = Help(text)
    page = mdoc.Page(page_name(command), "1", told.summary[0].lower() + told.summary[1:], version, mark)
    synopsis(page, told.usage)
    page.heading("DESCRIPTION")
    page.prose(told.summary)
    for line in told.details:
        page.paragraph()
        page.prose(line)
    page.paragraph()
    page.list([(option_term(letter, name, value), sentence(meaning)) for letter, name, value, meaning in told.options])
    if any(name == "config" for _, name, _, _ in told.options):
        page.also.add(("weft.conf", "5"))
    exit_status(page, overview)
    page.heading("EXAMPLES")
    page.code("\n".join(line.removeprefix("  ") for line in told.examples.split("\n")))
    first = command.split(" ")[0]
    page.also |= {(page_name(other), "1") for other in commands if other.split(" ")[0] == first and " " in command}
    page.also.add(("weft", "1"))
    return page


def sentence(text):
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "...")) else ".")


def overview(text, commands, version):
    what = re.match(r"weft: (.*)", text).group(1)
    page = mdoc.Page("weft", "1", what, version, mark)
    page.heading("SYNOPSIS")
    page.lines += [".Nm", ".Ar COMMAND", ".Op Ar ARGUMENTS", ".Nm", ".Ar COMMAND", ".Fl -help"]
    page.heading("DESCRIPTION")
    page.lines += [".Nm", "is a document collaboration service and all that belongs to it.",
                   "A node is started with", ".Xr weft-serve 1 ;",
                   "the other commands talk to nodes, or read their data directories, live or not."]
    page.paragraph()
    page.list([(["Xr", page_name(command), "1"], summary) for command, summary in commands.items()])
    page.paragraph()
    page.prose(re.search(r"^(URL is .*)$", text, re.MULTILINE).group(1))
    page.prose("Data goes to stdout and words to stderr; `-` as a file is stdin or stdout.")
    page.heading("ENVIRONMENT")
    page.lines += ["Each option of", ".Xr weft.conf 5", "may be set as", ".Ev WEFT_ Ns Ar NAME",
                   "in capital letters."]
    page.list([(["Ev", "WEFT_CONFIG"], "The configuration file, where --config does not name one."),
               (["Ev", "NO_COLOR"], "Set to anything: tables and differences are not coloured.")])
    exit_status(page, text)
    page.heading("EXAMPLES")
    page.code("weft serve &\necho 'Hello, weft' | weft put http://127.0.0.1:9338 hello\n"
              "weft cat http://127.0.0.1:9338 hello")
    page.also |= {(page_name(command), "1") for command in commands} | {("weft.conf", "5"), ("libweft", "3")}
    return page


def configuration(settings, version):
    page = mdoc.Page("weft.conf", "5", "configuration of a weft node", version, mark)
    page.heading("DESCRIPTION")
    page.prose("A file with lines of `key = value`, without sections; `#` and `;` begin comments.")
    page.lines += [".Xr weft-serve 1", "reads the one that", ".Fl -config", "or", ".Ev WEFT_CONFIG", "names."]
    page.prose("Each option has one name in three spellings: as a flag, in the environment, in the file. "
               "The first of them that is there counts.")
    page.code("--max-document-bytes 16MiB\nWEFT_MAX_DOCUMENT_BYTES=16MiB\nmax_document_bytes = 16MiB")
    page.paragraph()
    page.prose("Lists are separated by blanks or commas; sizes and times have units: `64KiB`, `500ms`. "
               "A name that is not known is an error that names the nearest one.")
    page.lines += [".Xr weft-config-print 1", "shows what counts and where it comes from,",
                   ".Xr weft-config-check 1", "whether a node would take it."]
    page.heading("OPTIONS")
    page.list([(["Cm", it["name"]], sentence(it["meaning"]) + default(it)) for it in settings])
    page.heading("EXAMPLES")
    page.code("data = /var/lib/weft\nlisten = 10.0.0.2:9338\ngossip = tcp://10.0.0.2:9339\n"
              "join = tcp://10.0.0.1:9339\ncluster_key = /etc/weft/key\ninsecure = true")
    page.also |= {("weft-serve", "1"), ("weft-config-print", "1"), ("weft-config-check", "1")}
    return page


def default(setting):
    known = setting["value"] == "" or "default" in setting["meaning"]
    return "" if known else f" The default is `{setting['value']}`."


def main(version, out1, out5, weft):
    text = say(weft, "help")
    commands = dict(re.findall(r"^  (\w+(?: \w+)?) {2,}(\S.*)$", text, re.MULTILINE))
    settings = json.loads(say(weft, "config", "print", "-o", "json"))
    settings = [it for it in settings if not it["name"].startswith("debug_")]
    pages = [command_page(command, say(weft, "help", *command.split(" ")), commands, version, text)
             for command in commands]
    mdoc.write(out1, [overview(text, commands, version), *pages])
    mdoc.write(out5, [configuration(settings, version)])


if __name__ == "__main__":
    main(*sys.argv[1:])
